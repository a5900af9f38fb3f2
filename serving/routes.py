"""The routes of a replica: those that predict, what it tells of its models, its health."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic_core import to_json

from serving.answers import model_block
from serving.by_key import ReadRow
from serving.champion import Watch
from serving.draining import Draining
from serving.key_ring import KeyRing
from serving.led import history_block
from serving.observing import Figures
from serving.openapi import PROBLEM, problem_answers
from serving.predicting import predicting, served_by
from serving.prediction_routes import prediction_routes
from serving.schemas import facts, request_schema
from serving.storing import Store, StoreState


def routes(  # noqa: PLR0917 -- what a replica is made of, put together in `app`
    watch: Watch, figures: Figures, store: Store, read_row: ReadRow, ring: KeyRing, draining: Draining
) -> APIRouter:
    """The routes of one replica."""
    router = APIRouter()
    router.include_router(predicting(watch, figures, store.keep, read_row))
    router.include_router(prediction_routes(watch, store))

    @router.get("/v1/models", summary="The champions in force", tags=["models"], response_class=Response)
    async def models() -> Response:
        return _json(to_json({"models": [model_block(served) for served in watch.in_force.values()]}))

    @router.get(
        "/v1/models/{problem}",
        summary="One champion: version, lineage, what it takes and how it answers",
        tags=["models"],
        responses=problem_answers(404),
        openapi_extra={"parameters": [PROBLEM]},
        response_class=Response,
    )
    async def model(request: Request) -> Response:
        served = served_by(watch, request)
        return _json(to_json(facts(served) | history_block(watch, served.champion.problem)))

    @router.get(
        "/v1/models/{problem}/schema",
        summary="JSON Schema of the request",
        tags=["models"],
        responses=problem_answers(404),
        openapi_extra={"parameters": [PROBLEM]},
        response_class=Response,
    )
    async def schema(request: Request) -> Response:
        return _json(to_json(request_schema(served_by(watch, request))))

    @router.get("/healthz", summary="Is the process alive?", tags=["health"])
    async def healthz() -> dict[str, str]:
        return {"status": "alive", "replica": watch.replica}

    @router.get("/readyz", summary="Is every champion served?", tags=["health"], responses={503: {"description": "No"}})
    async def readyz() -> Response:
        told = at_the_door(readiness(watch, store.state()), ring, draining)
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
        figures.from_cache.set(len(watch.from_cache))
        figures.cache_trouble.set(watch.cache.trouble is not None)
        figures.store(asdict(store.state()))
        return Response(generate_latest(figures.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def readiness(watch: Watch, stored: StoreState) -> dict[str, Any]:
    """Ready: the champions were looked up once, and each problem has a model in force, if an older one; or the database
    is away since this replica started, and the cache on its disk remembers some.

    A replica that keeps an older champion stays in service and says so: taking it out would serve nobody better. One
    whose spool is full can answer nobody.
    """
    missing = sorted(name for name in watch.behind if name not in watch.in_force)
    return {
        "ready": (watch.looked or bool(watch.from_cache)) and not missing and not stored.is_full,
        "replica": watch.replica,
        "serves": {name: served.champion.version for name, served in watch.in_force.items()},
        "not_loaded": {name: f"version {late.champion.version}: {late.why}" for name, late in watch.behind.items()},
        "from_cache": {name: since.isoformat(timespec="seconds") for name, since in watch.from_cache.items()},
        "cache_trouble": watch.cache.trouble,
        "trouble": watch.trouble or (None if watch.looked else "the champions were not looked up yet"),
        "store": asdict(stored),
    }


def at_the_door(told: dict[str, Any], ring: KeyRing, draining: Draining) -> dict[str, Any]:
    """What is told of the readiness, with what keeps callers out although every champion is served."""
    told |= {"draining": draining.began, "keys_known": ring.keys is not None, "keys_trouble": ring.trouble}
    return told | {"ready": told["ready"] and ring.keys is not None and not draining.began}


def _json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")
