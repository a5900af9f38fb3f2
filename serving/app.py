"""The application: `uvicorn serving.app:app`. One process is one replica."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache, partial

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from millrace.adapters import api_keys, champions, package_store, reigns, replica_reports, warehouse
from millrace.settings import get_settings
from serving.by_key import ReadRow
from serving.champion import Watch
from serving.draining import Draining
from serving.guarded_operations import with_keys
from serving.guarding import Guarding, Limits
from serving.json_logs import log_to_stdout
from serving.key_ring import KeyRing
from serving.led import LAST
from serving.observing import Figures, Observing
from serving.older_clients import older_clients
from serving.openapi import openapi
from serving.page import page
from serving.refusals import RefusedError, response
from serving.routes import routes
from serving.short_way import GONE, ShortWay
from serving.storing import SpooledStore, Store
from serving.warm_up import warm_up


def create_app(
    watch: Watch,
    ring: KeyRing,
    *,
    store: Store,
    read_row: ReadRow,
    limits: Limits | None = None,
    look_every_seconds: float | None = None,
    default_problem: str = "",
) -> FastAPI:
    """The application over a watch, the keys that it takes, and a store; watch and keys look by themselves if they are
    told how often.

    Args:
        read_row: What the warehouse holds of a row.
        default_problem: Which one the paths of older clients mean; empty: the only one that is served.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        if look_every_seconds is not None:
            # Threads of their own: loading a package must hold up neither requests nor the end of a key.
            for name, run in (("watch", watch.run), ("keys", ring.run)):
                threading.Thread(target=run, args=(stop, look_every_seconds), name=name, daemon=True).start()
        store.start()
        try:
            yield
        finally:
            stop.set()
            # In a thread: shipping the rest takes seconds.
            await anyio.to_thread.run_sync(store.stop)

    figures, draining = Figures(), Draining()
    app = FastAPIOffline(
        redoc_url=None,
        title="Millrace",
        version="1",
        description="Predictions of the champions in force, each with its factors and its origin.",
        lifespan=lifespan,
    )
    app.state.draining = draining
    app.include_router(routes(watch, figures, store, read_row, ring, draining))
    app.include_router(page(watch))
    app.include_router(older_clients(watch, app.routes, default_problem))
    # The last is the first that a request comes to: nothing gets round the guard.
    app.add_middleware(ShortWay, routes=app.routes)
    app.add_middleware(Guarding, ring=ring, draining=draining, registry=figures.registry, limits=limits or Limits())
    app.add_middleware(Observing, figures=figures, replica=watch.replica)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _gone)
    document = lru_cache(maxsize=1)(lambda _in_force: with_keys(openapi(app, watch)))
    # It is open to everybody and takes long to write: once for each set of champions.
    app.openapi = lambda: document(  # type: ignore[method-assign]
        tuple((name, one.champion.generation) for name, one in watch.in_force.items())
    )
    return app


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return response(error)


def _http_error(request: Request, error: Exception) -> Response:
    """What the router refuses (no such path, no such method), in our one shape."""
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow") or (error.headers or {}).get("allow")
    return response(
        RefusedError(
            error.status_code,
            str(error.detail),
            found=f"{request.method} {request.url.path[:100]}",
            expected=f"one of the methods {allowed}" if allowed else "a path of this API",
            fix="/docs shows every path",
            headers=dict(error.headers or {}),
        )
    )


def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=GONE)


def _replica() -> FastAPI:
    settings = get_settings()
    log_to_stdout(settings.replica)
    watch = Watch(
        settings.replica,
        champions=champions.all_champions,
        fetch=package_store.get,
        report=replica_reports.report,
        history=partial(reigns.reigns, last=LAST),
        warm_up=warm_up,
        cache=settings.packages_of(settings.replica),
    )
    ring = KeyRing(api_keys.in_force, settings.packages_of(settings.replica).parent / f"{settings.replica}-keys.json")
    limits = Limits(
        rows_per_second=settings.rate_limit_rows_per_second,
        burst_seconds=settings.rate_limit_burst_seconds,
        body_seconds=settings.body_deadline_seconds,
    )
    return create_app(
        watch,
        ring,
        store=SpooledStore(settings),
        read_row=warehouse.serving_row,
        limits=limits,
        look_every_seconds=settings.prediction_reports_seconds,
        default_problem=settings.default_problem,
    )


app = _replica()
