"""The routes of stored predictions: the newest of a problem, and one with its receipt."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import anyio
import psycopg
from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from millrace.contract.errors import MillraceError
from serving.champion import Watch
from serving.openapi import PROBLEM, problem_answers
from serving.predicting import served_by
from serving.prediction_queries import AN_ID, MOST, USUAL, id_of, listing_of
from serving.prediction_schemas import PAGE, STORED
from serving.receipts import Receipt, receipt
from serving.refusals import RETRY_SECONDS, RefusedError
from serving.storing import Store

READING_THREADS = 4
"""So many reads of the database at once: people and reports read, and predictions must not wait for them."""

PREDICTIONS = "/v1/models/{problem}/predictions"

Found = TypeVar("Found")


def prediction_routes(watch: Watch, store: Store, *, receipt_of: Receipt = receipt) -> APIRouter:
    """The routes of one replica's store."""
    router = APIRouter()
    threads = anyio.CapacityLimiter(READING_THREADS)

    async def read(work: Callable[[], Found]) -> Found:
        try:
            return await anyio.to_thread.run_sync(work, limiter=threads)
        except MillraceError as error:
            _unavailable(f"{error.problem}: {error.found}", "wait, and send it again")
        except psycopg.errors.QueryCanceled:
            _unavailable("a query that takes too long", "ask for a shorter time, with since and until")
        except psycopg.Error as error:
            _unavailable(f"Postgres refused: {type(error).__name__}", "tell the operators; the log has the request id")

    @router.get(
        PREDICTIONS,
        summary="Stored predictions, the newest first",
        tags=["predictions"],
        responses={
            200: {"description": "A page", "content": {"application/json": {"schema": PAGE}}},
            **problem_answers(404, 422, 503),
        },
        openapi_extra={"parameters": [PROBLEM, *FILTERS]},
        response_class=Response,
    )
    async def predictions(request: Request) -> Response:
        problem = served_by(watch, request).champion.problem
        wanted, limit = listing_of(request.query_params.multi_items())
        # One more than asked for tells whether there is another page.
        found = await read(lambda: store.newest(problem, wanted, limit + 1))
        page = found[:limit]
        more = str(page[-1]["id"]) if len(found) > limit else None
        return _json({"predictions": [_told(one) for one in page], "next_cursor": more})

    @router.get(
        PREDICTIONS + "/{prediction_id}",
        summary="One stored prediction, and where it came from",
        tags=["predictions"],
        responses={
            200: {
                "description": "The prediction with its receipt",
                "content": {"application/json": {"schema": STORED}},
            },
            **problem_answers(404, 422, 503),
        },
        openapi_extra={"parameters": [PROBLEM, _ID]},
        response_class=Response,
    )
    async def prediction(request: Request) -> Response:
        problem = served_by(watch, request).champion.problem
        wanted = id_of(request.path_params["prediction_id"])
        found = await read(lambda: store.by_id(problem, wanted))
        if found is None:
            raise RefusedError(
                404,
                f"No such prediction of {problem} is stored",
                found=str(wanted),
                expected="the id of a prediction that is stored, and not older than the contract keeps it",
                fix="a prediction just answered may take seconds, or longer while the database is away: ask again",
            )
        version: int = found["version"]
        return _json(_told(found) | {"receipt": await read(lambda: receipt_of(problem, version))})

    return router


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored row in the words of an answer."""
    return {
        "prediction_id": row["id"],
        "time": row["time"],
        "model_version": row["version"],
        "entity": row["entity"],
        "features": row["features"],
        "probability": row["probability"],
        "risk_category": row["risk_category"],
        "decision": row["decision"],
        "contributing_factors": row["factors"],
        "decided_by": row["decided_by"],
        "key_id": row["key_id"],
        "latency_seconds": row["latency_seconds"],
    }


def _unavailable(found: str, fix: str) -> NoReturn:
    raise RefusedError(
        503,
        "Stored predictions cannot be read now",
        found=found,
        expected="the warehouse database to answer in time",
        fix=fix,
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def _json(told: dict[str, Any]) -> Response:
    return Response(to_json(told), media_type="application/json")


def _query(name: str, schema: dict[str, Any], words: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": words, "schema": schema}


_UUID7 = {"type": "string", "format": "uuid"}
_ID = {"name": "prediction_id", "in": "path", "required": True, "description": AN_ID, "schema": _UUID7}
_TIME = {"type": "string", "format": "date-time"}
FILTERS = [
    _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}, "How many at most"),
    _query("cursor", _UUID7, "next_cursor of the page before"),
    _query("since", _TIME, "Not earlier than this"),
    _query("until", _TIME, "Earlier than this"),
    _query("version", {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}, "Answered by this version"),
    _query("risk_category", {"type": "string", "minLength": 1}, "Of this risk band"),
    _query("entity", {"type": "string", "minLength": 1}, "For this entity, as a listed prediction tells it"),
]
