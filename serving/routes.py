"""The routes. Each reads the mapping of champions in force once, so that a request sees one champion, whole."""

from typing import Any

import anyio
from fastapi import APIRouter, Request, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic_core import to_json

from millrace.contract.errors import did_you_mean
from serving.answers import answer, model_block
from serving.bodies import read_body
from serving.champion import InForce, Watch
from serving.draining import Draining
from serving.key_ring import KeyRing
from serving.observing import Figures
from serving.openapi import ANSWER_SCHEMA, ANY_ROWS, PREDICT, problem_answers
from serving.refusals import RefusedError
from serving.schemas import facts, request_schema

INLINE_BYTES = 2_048
"""A longer body holds many rows, which are scored in a thread: the others must not wait for them."""
SCORING_THREADS = 2

# Told here and read from the path, not declared as an argument: FastAPI would validate it anew at each request, and
# promise a 422 in a shape of its own.
OF_A_PROBLEM: dict[str, Any] = {
    "parameters": [
        {
            "name": "problem",
            "in": "path",
            "required": True,
            "description": "Name of the problem",
            "schema": {"type": "string"},
        }
    ]
}


def routes(watch: Watch, figures: Figures, ring: KeyRing, draining: Draining) -> APIRouter:
    """The routes of one replica."""
    router = APIRouter()
    threads = anyio.CapacityLimiter(SCORING_THREADS)

    @router.post(
        PREDICT,
        summary="Predict rows of any problem",
        tags=["models"],
        responses={
            200: {"description": "One prediction a row", "content": {"application/json": {"schema": ANSWER_SCHEMA}}},
            **problem_answers(400, 404, 413, 415, 422),
        },
        openapi_extra={
            **OF_A_PROBLEM,
            "requestBody": {"required": True, "content": {"application/json": {"schema": ANY_ROWS}}},
        },
        response_class=Response,
    )
    async def predict(request: Request) -> Response:
        served = _served(watch, request)
        body = await read_body(request)
        if len(body) <= INLINE_BYTES:
            content, rows = answer(served, body)
        else:
            content, rows = await anyio.to_thread.run_sync(answer, served, body, limiter=threads)
        problem, version = served.champion.problem, served.champion.version
        figures.predictions(problem, version).inc(rows)
        request.scope["millrace.told"] = {"problem": problem, "version": version, "rows": rows}
        return _json(content)

    @router.get("/v1/models", summary="The champions in force", tags=["models"], response_class=Response)
    async def models() -> Response:
        return _json(to_json({"models": [model_block(served) for served in watch.in_force.values()]}))

    @router.get(
        "/v1/models/{problem}",
        summary="One champion: version, lineage, what it takes and how it answers",
        tags=["models"],
        responses=problem_answers(404),
        openapi_extra=OF_A_PROBLEM,
        response_class=Response,
    )
    async def model(request: Request) -> Response:
        return _json(to_json(facts(_served(watch, request))))

    @router.get(
        "/v1/models/{problem}/schema",
        summary="JSON Schema of the request",
        tags=["models"],
        responses=problem_answers(404),
        openapi_extra=OF_A_PROBLEM,
        response_class=Response,
    )
    async def schema(request: Request) -> Response:
        return _json(to_json(request_schema(_served(watch, request))))

    @router.get("/healthz", summary="Is the process alive?", tags=["health"])
    async def healthz() -> dict[str, str]:
        return {"status": "alive", "replica": watch.replica}

    @router.get("/readyz", summary="Is every champion served?", tags=["health"], responses={503: {"description": "No"}})
    async def readyz() -> Response:
        told = at_the_door(readiness(watch), ring, draining)
        return _json(to_json(told), 200 if told["ready"] else 503)

    @router.get("/metrics", summary="Prometheus figures", tags=["health"], response_class=Response)
    async def metrics() -> Response:
        figures.generation.clear()
        for served in watch.in_force.values():
            champion = served.champion
            figures.generation.labels(champion.problem, champion.version).set(champion.generation)
        figures.behind.set(len(watch.behind))
        figures.keys_trouble.set(ring.trouble is not None)
        figures.watch_trouble.set(watch.trouble is not None)
        return Response(generate_latest(figures.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def readiness(watch: Watch) -> dict[str, Any]:
    """Ready: the champions were looked up once, and each problem has a model in force, if an older one.

    A replica that keeps an older champion stays in service and says so: taking it out would serve nobody better.
    """
    missing = sorted(name for name in watch.behind if name not in watch.in_force)
    return {
        "ready": watch.looked and not missing,
        "replica": watch.replica,
        "serves": {name: served.champion.version for name, served in watch.in_force.items()},
        "not_loaded": {name: f"version {late.champion.version}: {late.why}" for name, late in watch.behind.items()},
        "trouble": watch.trouble or (None if watch.looked else "the champions were not looked up yet"),
    }


def at_the_door(told: dict[str, Any], ring: KeyRing, draining: Draining) -> dict[str, Any]:
    """What is told of the readiness, with what keeps callers out although every champion is served."""
    told |= {"draining": draining.began, "keys_known": ring.keys is not None, "keys_trouble": ring.trouble}
    return told | {"ready": told["ready"] and ring.keys is not None and not draining.began}


def _served(watch: Watch, request: Request) -> InForce:
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
    request.scope["millrace.told"] = {"problem": problem, "version": served.champion.version}
    return served


def _json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")
