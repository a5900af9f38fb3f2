"""From the bytes of a request to the bytes of its answer: read, validate, score, tell."""

from typing import Any
from uuid import uuid4

from pydantic_core import to_json

from millrace.domain.scoring import Score
from serving.bodies import rows_of
from serving.champion import InForce
from serving.faults import Fault, faults_of_row
from serving.refusals import RefusedError
from serving.request_models import Row

SHOWN_FAULTS = 100


def answer(served: InForce, body: bytes) -> tuple[bytes, int]:
    """Predict every row of a body.

    Returns:
        The JSON to send, and the number of rows.

    Raises:
        RefusedError: If the body, or any of its rows, is not what the contract allows. Then no row is predicted.
    """
    rows = checked(served, rows_of(body))
    predictions = [_prediction(score) for score in served.scorer.score_rows(rows)]
    return to_json({"predictions": predictions, "model": model_block(served)}), len(rows)


def checked(served: InForce, sent: list[Any]) -> list[Row]:
    """The rows as the scorer takes them.

    Raises:
        RefusedError: 422, with every fault of the first invalid rows.
    """
    rows: list[Row] = []
    faults: list[Fault] = []
    refused = 0
    for position, one in enumerate(sent):
        row = served.request.read(one) if isinstance(one, dict) else None
        if row is not None:
            rows.append(row)
            continue
        refused += 1
        if len(faults) < SHOWN_FAULTS:
            faults += faults_of_row(served.request, position, one)
    if refused:
        first = faults[0]
        where = f"row {first.row}" + (f", column {first.column}" if first.column else "")
        raise RefusedError(
            422,
            f"{refused} of {len(sent)} rows break the contract of {served.champion.problem}",
            found=f"{where}: {first.found}",
            expected=first.expected,
            fix=f"mend the rows; GET /v1/models/{served.champion.problem} tells what each column takes",
            faults=faults[:SHOWN_FAULTS],
            rows_refused=refused,
        )
    return rows


def model_block(served: InForce) -> dict[str, Any]:
    """Which model answers: enough to find the version, its package and the gold that trained it."""
    champion = served.champion
    return {
        "problem": champion.problem,
        "version": champion.version,
        "generation": champion.generation,
        "content_hash": champion.content_hash,
        # As text: it has more digits than a number in JavaScript keeps.
        "gold_snapshot": champion.gold_snapshot,
    }


def _prediction(score: Score) -> dict[str, Any]:
    return {
        "prediction_id": str(uuid4()),
        "probability": score.probability,
        "risk": score.risk,
        "positive": score.positive,
        "factors": [{"column": f.column, "value": f.value, "contribution": f.contribution} for f in score.factors],
        "decided_by": score.decided_by,
        "reason": score.reason,
    }
