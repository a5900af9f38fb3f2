"""The application: `uvicorn serving.app:app`. One process is one replica."""

import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from millrace.adapters import champions, package_store, reigns, replica_reports, warehouse
from millrace.settings import get_settings
from serving.by_key import ReadRow
from serving.champion import Watch
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
    *,
    store: Store,
    read_row: ReadRow,
    look_every_seconds: float | None = None,
    default_problem: str = "",
) -> FastAPI:
    """The application over a watch and a store; the watch looks by itself if it is told how often.

    Args:
        read_row: What the warehouse holds of a row.
        default_problem: Which one the paths of older clients mean; empty: the only one that is served.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        if look_every_seconds is not None:
            # A thread of its own: loading a package must not hold up requests.
            threading.Thread(target=watch.run, args=(stop, look_every_seconds), name="watch", daemon=True).start()
        store.start()
        try:
            yield
        finally:
            stop.set()
            # In a thread: shipping the rest takes seconds.
            await anyio.to_thread.run_sync(store.stop)

    figures = Figures()
    app = FastAPIOffline(
        redoc_url=None,
        title="Millrace",
        version="1",
        description="Predictions of the champions in force, each with its factors and its origin.",
        lifespan=lifespan,
    )
    app.include_router(routes(watch, figures, store, read_row))
    app.include_router(page(watch))
    app.include_router(older_clients(watch, app.routes, default_problem))
    app.add_middleware(ShortWay, routes=app.routes)
    app.add_middleware(Observing, figures=figures, replica=watch.replica)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.openapi = lambda: openapi(app, watch)  # type: ignore[method-assign]
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


def _log_to_stdout() -> None:
    """Ours: words with their time. Access lines: JSON alone, which has its own."""
    for name, form in (
        ("serving", "%(asctime)s %(levelname)s %(name)s %(message)s"),
        ("serving.access", "%(message)s"),
    ):
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter(form))
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)


def _replica() -> FastAPI:
    settings = get_settings()
    _log_to_stdout()
    watch = Watch(
        settings.replica,
        champions=champions.all_champions,
        fetch=package_store.get,
        report=replica_reports.report,
        history=partial(reigns.reigns, last=LAST),
        warm_up=warm_up,
        cache=settings.packages_of(settings.replica),
    )
    return create_app(
        watch,
        store=SpooledStore(settings),
        read_row=warehouse.serving_row,
        look_every_seconds=settings.prediction_reports_seconds,
        default_problem=settings.default_problem,
    )


app = _replica()
