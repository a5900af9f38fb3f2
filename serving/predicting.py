"""The routes that predict. Each reads the mapping of champions in force once: a request sees one champion, whole."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import anyio
from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from millrace.contract.errors import did_you_mean
from serving.answers import Prediction, predict_many, predict_one, told_alone, told_row, told_together
from serving.bodies import JSON, NDJSON, Kind, many_rows, one_row, read_body
from serving.by_key import ReadRow, predict_by_key, told_by_key
from serving.champion import InForce, Watch
from serving.keeping import keep_answer
from serving.observing import Figures
from serving.openapi import (
    ANSWER,
    ANSWERS,
    ANY_ROW,
    ANY_ROWS,
    EXPLAIN,
    KEY,
    KEY_ANSWER,
    PREDICT,
    PREDICT_KEY,
    PREDICT_MANY,
    PROBLEM,
    problem_answers,
)
from serving.refusals import RefusedError
from serving.storing import Keep

INLINE_BYTES = 2_048
"""A longer body holds many rows, which are scored in a thread: the others must not wait for them."""
SCORING_THREADS = 2
ASKING_THREADS = 4
"""Those that wait for the warehouse; of their own, or two slow questions would stop every batch."""


class Answered(NamedTuple):
    """What is sent. `rows`: those that were predicted."""

    kind: Kind
    content: bytes
    rows: int


def predicting(watch: Watch, figures: Figures, keep: Keep, read_row: ReadRow) -> APIRouter:
    """The routes that predict, of one replica."""
    router = APIRouter()
    scoring, asking = anyio.CapacityLimiter(SCORING_THREADS), anyio.CapacityLimiter(ASKING_THREADS)

    async def told(
        served: InForce, answer: Callable[[], Answered], threads: anyio.CapacityLimiter | None = None
    ) -> Response:
        """Answer, in one of some threads if that takes long, and note what was answered."""
        done = answer() if threads is None else await anyio.to_thread.run_sync(answer, limiter=threads)
        figures.predictions(served.champion.problem, served.champion.version).inc(done.rows)
        return Response(done.content, media_type=done.kind)

    @router.post(
        PREDICT,
        summary="Predict one row of any problem",
        tags=["models"],
        responses={
            200: {"description": "Its prediction", "content": {JSON: {"schema": ANSWER}}},
            **problem_answers(400, 404, 413, 415, 422, 503),
        },
        openapi_extra={
            "parameters": [PROBLEM, EXPLAIN],
            "requestBody": {"required": True, "content": {JSON: {"schema": ANY_ROW}}},
        },
        response_class=Response,
    )
    async def predict(request: Request) -> Response:
        began, served, explain = perf_counter(), served_by(watch, request), _explain(request)
        _, body = await read_body(request, JSON)

        def answer() -> Answered:
            prediction = predict_one(served, one_row(body), explain=explain)
            answered = Answered(JSON, to_json(told_alone(served, prediction)), rows=1)
            keep_answer(keep, request, served, [prediction], began=began)
            return answered

        request.scope["millrace.told"] = _told_of(served, 1)
        return await told(served, answer, scoring if len(body) > INLINE_BYTES else None)

    @router.post(
        PREDICT_MANY,
        summary="Predict many rows of any problem",
        tags=["models"],
        responses={
            200: {
                "description": "One prediction a row, or what is wrong with it",
                "content": {JSON: {"schema": ANSWERS}, NDJSON: {"schema": {"type": "string"}}},
            },
            **problem_answers(400, 404, 413, 415, 422, 503),
        },
        openapi_extra={
            "parameters": [PROBLEM, EXPLAIN],
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": ANY_ROWS}, NDJSON: {"schema": {"type": "string"}}},
            },
        },
        response_class=Response,
    )
    async def predict_batch(request: Request) -> Response:
        began, served, explain = perf_counter(), served_by(watch, request), _explain(request)
        kind, body = await read_body(request, JSON, NDJSON)

        def answer() -> Answered:
            found = predict_many(served, many_rows(kind, body), explain=explain)
            request.scope["millrace.told"] = _told_of(served, len(found))
            predicted = sum(isinstance(one, Prediction) for one in found)
            if kind == JSON:
                content = to_json(told_together(served, found))
            else:
                of_the_model = {"model_version": served.champion.version}
                content = b"".join(to_json(told_row(one) | of_the_model) + b"\n" for one in found)
            keep_answer(keep, request, served, found, began=began)
            return Answered(kind, content, predicted)

        return await told(served, answer, scoring if len(body) > INLINE_BYTES else None)

    @router.post(
        PREDICT_KEY,
        summary="Predict a row that the warehouse knows, by its key",
        tags=["models"],
        responses={
            200: {"description": "Its prediction", "content": {JSON: {"schema": KEY_ANSWER}}},
            **problem_answers(400, 404, 409, 413, 415, 422, 503),
        },
        openapi_extra={
            "parameters": [PROBLEM, EXPLAIN],
            "requestBody": {"required": True, "content": {JSON: {"schema": KEY}}},
        },
        response_class=Response,
    )
    async def predict_key(request: Request) -> Response:
        began, served, explain = perf_counter(), served_by(watch, request), _explain(request)
        _, body = await read_body(request, JSON)

        def answer() -> Answered:
            prediction, row = predict_by_key(served, one_row(body), read_row, explain=explain)
            answered = Answered(JSON, to_json(told_by_key(served, prediction, row)), rows=1)
            keep_answer(keep, request, served, [prediction], began=began)
            return answered

        request.scope["millrace.told"] = _told_of(served, 1)
        return await told(served, answer, asking)

    return router


def served_by(watch: Watch, request: Request) -> InForce:
    """The champion in force of the problem that the path names.

    Raises:
        RefusedError: 404 if there is none, with the closest name.
    """
    problem: str = request.path_params["problem"]
    served = watch.in_force.get(problem)
    if served is None:
        known = list(watch.in_force)
        raise RefusedError(
            404,
            "No such problem is served here",
            found=problem[:60],
            expected=did_you_mean(problem, known) if known else "no problem has a champion yet",
            fix="GET /v1/models lists the problems",
        )
    # A request that is refused from here on is told of the champion that it was for.
    request.scope["millrace.told"] = {"problem": problem, "version": served.champion.version}
    return served


def _explain(request: Request) -> bool:
    """What the query says; it knows nothing but `explain`."""
    if not request.scope["query_string"]:
        return True
    for name, said in request.query_params.multi_items():
        if name != "explain" or said not in ("true", "false"):
            raise RefusedError(
                422,
                "The query is not understood",
                found=f"{name}={said}"[:60] if name == "explain" else f"the parameter {name[:60]}",
                expected="explain=true or explain=false"
                if name == "explain"
                else f"nothing but explain; {did_you_mean(name, ['explain'])}",
                fix="leave the parameter away, or send ?explain=false",
            )
    return request.query_params.get("explain", "true") == "true"


def _told_of(served: InForce, rows: int) -> dict[str, Any]:
    return {"problem": served.champion.problem, "version": served.champion.version, "rows": rows}
