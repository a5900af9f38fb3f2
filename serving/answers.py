"""From the rows of a request to its predictions, and to the words of the answer."""

from collections.abc import Sequence
from secrets import randbits
from time import time_ns
from typing import Any, NamedTuple
from uuid import UUID

from millrace.domain.scoring import Score
from millrace.domain.training_range import Unlike
from millrace.domain.uuid7 import uuid7s
from serving.champion import InForce
from serving.faults import Fault, faults_of_row
from serving.refusals import RefusedError
from serving.request_models import Row

SHOWN_FAULTS = 1_000
"""Of one request, so many broken constraints are told: looking for their reasons costs far more than predicting."""

new_id = uuid7s(time_ns, randbits)


class Prediction(NamedTuple):
    """One row that was answered. `row` is position in the request, from 0; `entity` the row's key as the lake has it,
    None if the caller did not tell it."""

    id: UUID
    position: int
    entity: str | None
    row: Row
    score: Score
    unlike: Sequence[Unlike]


class Refused(NamedTuple):
    """One row that breaks the contract."""

    position: int
    faults: Sequence[Fault]


def predict_one(served: InForce, sent: dict[str, Any], *, explain: bool) -> Prediction:
    """Predict one row.

    Raises:
        RefusedError: 422, with every broken constraint.
    """
    row = served.request.read(sent)
    if row is None:
        raise refusal(served, faults_of_row(served.request, 0, sent))
    return predict_row(served, row, entity=served.request.entity(sent), explain=explain)


def predict_row(served: InForce, row: Row, *, entity: str | None, explain: bool) -> Prediction:
    """Predict one row that obeys the contract."""
    (score,) = served.scorer.score_rows((row,), explain=explain)
    return Prediction(new_id(), 0, entity, row, score, served.look(row))


def predict_many(served: InForce, sent: Sequence[Any], *, explain: bool) -> list[Prediction | Refused]:
    """Predict the valid rows of many; each of the others with what is wrong, in the order of the request."""
    rows = [served.request.read(one) if isinstance(one, dict) else None for one in sent]
    scores = iter(served.scorer.score_rows([row for row in rows if row is not None], explain=explain))
    found: list[Prediction | Refused] = []
    told = 0
    for position, (one, row) in enumerate(zip(sent, rows, strict=True)):
        if row is not None:
            entity = served.request.entity(one)
            found.append(Prediction(new_id(), position, entity, row, next(scores), served.look(row)))
            continue
        faults = faults_of_row(served.request, position, one) if told < SHOWN_FAULTS else [_untold(position)]
        found.append(Refused(position, faults[:SHOWN_FAULTS]))
        told += len(faults)
    return found


def _untold(position: int) -> Fault:
    expected = f"at most {SHOWN_FAULTS} broken constraints in a request; send this row again to see its own"
    return Fault(position, None, "row", "a row that breaks the contract", expected)


def refusal(served: InForce, faults: Sequence[Fault]) -> RefusedError:
    """What a request is answered whose only row breaks the contract."""
    problem, first = served.champion.problem, faults[0]
    return RefusedError(
        422,
        f"The row breaks the contract of {problem}",
        found=f"column {first.column}: {first.found}" if first.column else first.found,
        expected=first.expected,
        fix=f"mend the row; GET /v1/models/{problem} tells what each column takes",
        faults=list(faults[:SHOWN_FAULTS]),
    )


def told_alone(served: InForce, prediction: Prediction) -> dict[str, Any]:
    """The answer to one row."""
    return {**_told(prediction), "model_version": served.champion.version, "model": model_block(served)}


def told_together(served: InForce, found: Sequence[Prediction | Refused]) -> dict[str, Any]:
    """The answer to many rows, each beside its position."""
    return {
        "predictions": [told_row(one) for one in found],
        "rows_refused": sum(isinstance(one, Refused) for one in found),
        "model_version": served.champion.version,
        "model": model_block(served),
    }


def told_row(one: Prediction | Refused) -> dict[str, Any]:
    """One row of an answer to many."""
    if isinstance(one, Refused):
        return {"row": one.position, "errors": one.faults}
    return {"row": one.position, **_told(one)}


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


def _told(prediction: Prediction) -> dict[str, Any]:
    score = prediction.score
    return {
        "prediction_id": str(prediction.id),
        "probability": score.probability,
        "risk_category": score.risk,
        "decision": score.positive,
        "contributing_factors": told_factors(prediction),
        "decided_by": score.decided_by,
        "reason": score.reason,
        "warnings": [one._asdict() for one in prediction.unlike],
    }


def told_factors(prediction: Prediction) -> list[dict[str, Any]]:
    """The factors in the words of an answer."""
    return [{"name": f.column, "value": f.value, "contribution": f.contribution} for f in prediction.score.factors]
