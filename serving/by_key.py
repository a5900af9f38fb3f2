"""A prediction of a row that the warehouse knows: the caller tells its key alone."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from millrace.contract.errors import MillraceError
from serving.answers import Prediction, predict_row, told_alone
from serving.champion import InForce
from serving.faults import in_words
from serving.refusals import RETRY_SECONDS, RefusedError, refuse

ServingRow = Mapping[str, Any]
ReadRow = Callable[[str, str], ServingRow | None]
"""Problem and row key → the row of its serving table; `adapters.warehouse.serving_row`."""
SHAPE = '{"key": {"<column>": <value>, ...}}'


def predict_by_key(served: InForce, sent: Any, read_row: ReadRow, *, explain: bool) -> tuple[Prediction, ServingRow]:
    """Predict the row of a key, by the features that the warehouse holds of it.

    Returns:
        The prediction, and the row of the serving table: `event_timestamp` tells when its features were known.

    Raises:
        RefusedError: 422 if the body is no key of this problem, 404 if the warehouse holds no such row, 409 if what it
            holds does not fit the model in force, 503 if it does not answer.
    """
    key = _row_key(served, sent)
    problem = served.champion.problem
    try:
        row = read_row(problem, key)
    except MillraceError as error:
        raise RefusedError(
            503,
            "The warehouse cannot be asked",
            found=error.problem,
            expected="the row's features, from the serving table",
            fix=f"try again; POST /v1/models/{problem}/predict takes the features from you",
            headers={"Retry-After": str(RETRY_SECONDS)},
        ) from error
    if row is None:
        refuse(
            404,
            "The warehouse holds no such row",
            found="a key that gold does not have",
            expected=f"the key of a row of warehouse.serving_{problem}",
            fix="a row comes there within a minute or two of its commit; a quarantined or deleted one does not",
        )
    asked = served.request.read(_features(served, row))
    if asked is None:
        raise RefusedError(
            409,
            "What the warehouse holds of this row does not fit the model in force",
            found=f"a row of gold snapshot {row.get('gold_snapshot_id')}",
            expected=f"the columns of version {served.champion.version}",
            fix="gold is of another contract than the model: `millrace status` shows what is pending",
        )
    return predict_row(served, asked, entity=key, explain=explain), row


def told_by_key(served: InForce, prediction: Prediction, row: ServingRow) -> dict[str, Any]:
    """The answer: that of a prediction, with the key as the lake has it and when the features were known."""
    return {
        **told_alone(served, prediction),
        "entity": prediction.entity,
        "features_known_at": row["event_timestamp"],
        "features_published_at": row["loaded_at"],
    }


def _row_key(served: InForce, sent: Any) -> str:
    names = served.request.source.primary_key
    if not names:
        refuse(
            422,
            "The rows of this problem have no key of their own",
            found=f"problem {served.champion.problem}, whose files have none",
            expected="a problem with primary_key",
            fix=f"send the row to POST /v1/models/{served.champion.problem}/predict",
        )
    told = sent.get("key") if isinstance(sent, dict) and [*sent] == ["key"] else None
    key = served.request.entity(told) if isinstance(told, dict) and told.keys() == set(names) else None
    if key is None:
        refuse(
            422,
            "The body is no key of this problem",
            found=in_words(sent) if not isinstance(told, dict) else f"a key of {', '.join(told)[:60] or 'nothing'}",
            expected=f"{SHAPE} with {', '.join(names)}",
            fix="send every column of the key, and nothing else",
        )
    return key


def _features(served: InForce, row: ServingRow) -> dict[str, Any]:
    """What a caller would have sent."""
    time = served.request.source.event_timestamp
    known = {**row, time: row["event_timestamp"]} if time else row
    told = {name: known.get(name) for name in served.request.columns if name not in served.request.key}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()}
