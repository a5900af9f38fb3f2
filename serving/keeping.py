"""What is kept of a request that is about to be answered: what cannot be kept is not answered."""

from collections.abc import Sequence
from time import perf_counter

from starlette.requests import Request

from millrace.domain.prediction_record import AnsweredRequest, PredictionRecord, storable_entity
from serving.answers import Prediction, Refused, new_id, told_factors
from serving.champion import InForce
from serving.refusals import RETRY_SECONDS, RefusedError
from serving.spool_folder import SpoolError
from serving.storing import Keep


def keep_answer(
    keep: Keep, request: Request, served: InForce, found: Sequence[Prediction | Refused], *, began: float
) -> None:
    """Keep what is about to be answered.

    Args:
        began: When the request came, on the clock of `time.perf_counter`.

    Raises:
        RefusedError: 503 if there is no room for it.
    """
    try:
        keep(kept(request, served, found, began=began))
    except SpoolError as error:
        raise RefusedError(
            503,
            error.problem,
            found=error.found,
            expected="room to keep the prediction before it is answered",
            fix="send the request again later; the operators see why in /readyz",
            headers={"Retry-After": str(RETRY_SECONDS)},
        ) from error


def kept(request: Request, served: InForce, found: Sequence[Prediction | Refused], *, began: float) -> AnsweredRequest:
    """The record of a request.

    Args:
        began: When the request came, on the clock of `time.perf_counter`.
    """
    predicted = [one for one in found if isinstance(one, Prediction)]
    key = request.scope.get("millrace.key")
    return AnsweredRequest(
        id=new_id(),
        problem=served.champion.problem,
        version=served.champion.version,
        key_id=None if key is None else str(key),
        latency_seconds=perf_counter() - began,
        rows_refused=len(found) - len(predicted),
        predictions=[_record(one, served.request.storable) for one in predicted],
    )


def _record(one: Prediction, columns: Sequence[str]) -> PredictionRecord:
    score, row = one.score, one.row
    return PredictionRecord(
        id=one.id,
        entity=None if one.entity is None else storable_entity(one.entity),
        features={name: row[name] for name in columns if name in row},
        probability=score.probability,
        risk_category=score.risk,
        decision=score.positive,
        factors=told_factors(one),
        decided_by=score.decided_by,
    )
