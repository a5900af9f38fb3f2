"""What is told of every request: Prometheus figures and one line of log. Never a header, a query or a body."""

import logging
import re
import time
from functools import cache
from typing import Any
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from pydantic_core import to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.build import build_info
from serving.refusals import RefusedError, response

access = logging.getLogger("serving.access")
logger = logging.getLogger("serving")

REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
BUCKETS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


STORE_FIGURES = {
    "waiting_rows": "Predictions in the spool that the database has not yet",
    "waiting_bytes": "Bytes of them",
    "limit_bytes": "Bytes from which requests are refused",
    "oldest_seconds": "How long the oldest of them waits",
    "stored_rows": "Predictions stored since the start of the replica",
    "set_aside_rows": "Predictions that the database refused for themselves, since the start of the replica",
}


class Figures:
    """The Prometheus figures of one replica. Children are kept, for looking one up costs more than setting it."""

    def __init__(self) -> None:
        self.registry = here = CollectorRegistry()
        requests = Counter("millrace_http_requests", "Requests", ["route", "method", "status"], registry=here)
        seconds = Histogram(
            "millrace_http_request_seconds", "Time to the last byte", ["route"], buckets=BUCKETS_SECONDS, registry=here
        )
        answers = Histogram(
            "millrace_prediction_seconds",
            "Time to the last byte of a prediction request",
            ["problem", "version", "outcome"],
            buckets=BUCKETS_SECONDS,
            registry=here,
        )
        predictions = Counter("millrace_predictions", "Predicted rows", ["problem", "version"], registry=here)
        self.requests = cache(requests.labels)
        self.seconds = cache(seconds.labels)
        self.answers = cache(answers.labels)
        self.predictions = cache(predictions.labels)
        self.generation = Gauge(
            "millrace_champion_generation", "Generation in force", ["problem", "version"], registry=here
        )
        self.behind = Gauge("millrace_champions_not_loaded", "Champions that could not be loaded", registry=here)
        Info("millrace_build", "What this replica runs", registry=here).info(build_info())
        self.keys_trouble = Gauge("millrace_keys_trouble", "1 while the API keys cannot be looked up", registry=here)
        self.watch_trouble = Gauge("millrace_watch_trouble", "1 while the champions cannot be looked up", registry=here)
        self.from_cache = Gauge(
            "millrace_champions_from_cache", "Champions served from the local cache, unconfirmed", registry=here
        )
        self.cache_trouble = Gauge("millrace_package_cache_trouble", "1 while packages cannot be kept", registry=here)
        self._store = {
            name: Gauge(f"millrace_store_{name}", words, registry=here) for name, words in STORE_FIGURES.items()
        }
        self._store_trouble = Gauge(
            "millrace_store_trouble", "1 while predictions wait for the database", registry=here
        )

    def store(self, told: dict[str, Any]) -> None:
        """Set the figures of the prediction store; `told`: the fields of `StoreState`."""
        for name, gauge in self._store.items():
            gauge.set(told[name])
        self._store_trouble.set(told["trouble"] is not None)


class Observing:
    """ASGI middleware: gives each request an id, counts it, logs it, and turns what nobody expected into a 500."""

    def __init__(self, app: ASGIApp, figures: Figures, replica: str) -> None:
        self.app, self.figures, self.replica = app, figures, replica

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = _request_id(scope)
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, told)
        except Exception as error:
            logger.exception("request %s failed", request_id, exc_info=_without_values(error))
            if status:
                raise  # The answer has begun: the server can only cut the connection.
            await response(_unexpected(request_id))(scope, receive, told)
        finally:
            self._tell(scope, status, time.perf_counter() - began, request_id)

    def _tell(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        # An unknown path is the caller's text: it is neither a label nor in the log.
        route = getattr(scope.get("route"), "path", "none")
        self.figures.requests(route, scope["method"], status).inc()
        self.figures.seconds(route).observe(seconds)
        told = scope.get("millrace.told", {})
        if "version" in told and scope["method"] == "POST":
            self.figures.answers(told["problem"], told["version"], outcome(status)).observe(seconds)
        if access.isEnabledFor(logging.INFO):
            line = {"at": round(time.time(), 3), "request_id": request_id, "replica": self.replica}
            if "millrace.key" in scope:
                line |= {"key": scope["millrace.key"], "client": scope["millrace.client"]}
            line |= {"method": scope["method"], "route": route, **told}
            line |= {"status": status, "ms": round(seconds * 1000, 3)}
            access.info(to_json(line).decode())


def outcome(status: int) -> str:
    """How a request ended: `ok`, `refused` (the caller's to mend) or `failed` (ours)."""
    if 200 <= status < 300:
        return "ok"
    return "refused" if 400 <= status < 500 else "failed"


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return uuid4().hex


def _unexpected(request_id: str) -> RefusedError:
    return RefusedError(
        500,
        "Something went wrong here",
        found=f"an unexpected error in request {request_id}",
        expected="an answer",
        fix=f"tell the operators the request id {request_id}; the log has it",
    )


def _without_values(error: Exception) -> BaseException:
    """The error's type and place without its message, which may quote the row."""
    return RuntimeError(type(error).__name__).with_traceback(error.__traceback__)
