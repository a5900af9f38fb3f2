"""Only a key in force gets in, only where it may, and only as often as it may; nothing tells what was wrong with it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from millrace.domain.api_keys import ApiKey, hashed, written
from serving.draining import Draining
from serving.guarding import Guarding, Limits, needed
from serving.key_ring import KeyRing
from serving.refusals import RefusedError, response
from tests.serving.a_key import BEARER, KEY, SECRET, ring_of

PREDICT = "/v1/models/loan/predict"
READ = "/v1/models/loan"


@dataclass
class Clock:
    """The two clocks of a replica: seconds since it started, and the time of day."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return response(error)


async def _echo(request: Request) -> JSONResponse:
    body = await request.body()
    rows = int(request.headers.get("x-rows", 1))
    request.scope["millrace.told"] = {"rows": rows}
    return JSONResponse({"key": request.scope.get("millrace.key"), "bytes": len(body)})


@dataclass
class Door:
    """A guarded application that says who it let in, and what surrounds it."""

    client: TestClient
    guard: Guarding
    clock: Clock
    draining: Draining

    def ask(self, path: str = PREDICT, key: str | None = None, **headers: str) -> Any:
        sent = {"authorization": f"Bearer {key}"} if key else {}
        method = "POST" if path == PREDICT else "GET"
        return self.client.request(method, path, headers=sent | headers)

    def count(self, reason: str) -> float:
        registry = self.guard.registry
        return registry.get_sample_value("millrace_refused_total", {"reason": reason}) or 0.0


def door_of(ring: KeyRing, limits: Limits | None = None) -> Door:
    echo = Route("/{rest:path}", _echo, methods=["GET", "POST", "DELETE"])
    app = Starlette(routes=[echo], exception_handlers={RefusedError: _refused})
    clock, draining = Clock(), Draining()
    guard = Guarding(app, ring, draining, CollectorRegistry(), limits or Limits(), clock=clock, now=clock)
    return Door(TestClient(guard), guard, clock, draining)


def key_of(number: int, scopes: set[str], **more: Any) -> ApiKey:
    told: dict[str, Any] = {"expires_at": None, "rows_per_second": None} | more
    return ApiKey(f"{number:012x}", f"client {number}", hashed(SECRET.encode()), frozenset(scopes), **told)


def sent_by(key: ApiKey) -> str:
    return written(key.id, SECRET)


@pytest.fixture
def door() -> Door:
    return door_of(ring_of(KEY, key_of(1, {"predict"}), key_of(2, {"read"})))


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"])
def test_what_shows_no_row_needs_no_key(door: Door, path: str) -> None:
    assert door.ask(path).status_code == 200


def test_a_key_is_taken_in_either_header(door: Door) -> None:
    assert door.ask(key=sent_by(KEY)).json()["key"] == KEY.id
    assert door.ask(**{"x-api-key": sent_by(KEY)}).json()["key"] == KEY.id
    assert door.ask(authorization=f"bearer {sent_by(KEY)}").status_code == 200


WRONG = {
    "no key": None,
    "not the form": "hunter2",
    "unknown id": written("f" * 12, SECRET),
    "wrong secret": written(KEY.id, "1e" * 32),
    "a digit more": sent_by(KEY) + "0",
    "letters of another size": sent_by(KEY).upper(),
}


@pytest.mark.parametrize("why", WRONG)
def test_any_other_key_is_refused(door: Door, why: str) -> None:
    told = door.ask(key=WRONG[why])
    assert told.status_code == 401
    assert told.headers["www-authenticate"] == 'Bearer realm="millrace"'
    assert told.headers["content-type"] == "application/problem+json"
    assert {"title", "found", "expected", "fix"} <= told.json().keys()


def test_nothing_tells_what_was_wrong_with_a_key(door: Door) -> None:
    answers = [door.ask(key=sent).content for sent in WRONG.values() if sent]
    assert len(set(answers)) == 1
    for sent in WRONG.values():
        assert not sent or sent.encode() not in answers[0]
    assert door.count("key_not_in_force") == len(answers)


def test_two_keys_at_once_are_none(door: Door) -> None:
    other = sent_by(key_of(1, {"predict"}))
    assert door.ask(key=sent_by(KEY), **{"x-api-key": other}).status_code == 401
    assert door.ask(key=sent_by(KEY), **{"x-api-key": sent_by(KEY)}).status_code == 200


def test_a_key_in_the_query_is_none(door: Door) -> None:
    assert door.ask(f"{READ}?api_key={sent_by(KEY)}").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/models/loan/predict", "predict"),
        ("POST", "/v1/models/loan/predict/batch", "predict"),
        ("POST", "/v1/models/loan/predict/by-key", "predict"),
        ("POST", "/predict", "predict"),
        ("POST", "/api/v1/predict", "predict"),
        ("GET", "/v1/models", "read"),
        ("HEAD", "/v1/models", "read"),
        ("GET", "/v1/models/loan/predictions", "read"),
        ("GET", "/predictions", "read"),
        ("GET", "/docs/more", "read"),
        ("GET", "/healthz/", "read"),
        ("DELETE", "/v1/models/loan", "admin"),
        ("POST", "/healthz", None),
        ("POST", "/static-offline-docs/x", "admin"),
        ("POST", "/v1/models", "admin"),
        ("GET", "/", None),
        ("HEAD", "/healthz", None),
        ("GET", "/static-offline-docs/swagger-ui.css", None),
    ],
)
def test_each_request_needs_one_scope(method: str, path: str, scope: str | None) -> None:
    assert needed(method, path) == scope


def test_a_key_without_the_scope_is_told_which_it_needs(door: Door) -> None:
    predicts, reads = sent_by(key_of(1, set())), sent_by(key_of(2, set()))
    assert door.ask(PREDICT, predicts).status_code == 200
    assert door.ask(READ, reads).status_code == 200
    for path, key, scope in ((READ, predicts, "read"), (PREDICT, reads, "predict")):
        told = door.ask(path, key)
        assert told.status_code == 403
        assert scope in told.json()["expected"]
    assert door.count("scope") == 2


def test_a_key_ends_at_its_time() -> None:
    until = datetime.fromtimestamp(2_000, UTC)
    door = door_of(ring_of(key_of(1, {"predict"}, expires_at=until)))
    sent = sent_by(key_of(1, set()))
    assert door.ask(key=sent).status_code == 200
    door.clock.now = 2_000.0
    assert door.ask(key=sent).status_code == 401


def test_a_revoked_key_ends_with_the_next_look() -> None:
    keys = [KEY]
    ring = KeyRing(lambda: list(keys))
    ring.look()
    door = door_of(ring)
    assert door.ask(key=sent_by(KEY)).status_code == 200
    keys.clear()
    ring.look()
    assert door.ask(key=sent_by(KEY)).status_code == 401


def test_a_replica_that_knows_no_keys_yet_says_so() -> None:
    told = door_of(KeyRing(list)).ask(key=sent_by(KEY))
    assert (told.status_code, told.headers["retry-after"]) == (503, "1")
    assert door_of(KeyRing(list)).ask("/healthz").status_code == 200


LIMITED = Limits(rows_per_second=10, burst_seconds=2)


def test_a_key_that_asks_too_much_is_told_when_to_come_again() -> None:
    door = door_of(ring_of(KEY), LIMITED)
    answers = [door.ask(key=sent_by(KEY)) for _ in range(20)]
    assert {one.status_code for one in answers} == {200}
    assert [one.headers["ratelimit"] for one in answers[:2]] == ['"rows";r=19;t=0', '"rows";r=18;t=0']
    assert answers[0].headers["ratelimit-policy"] == '"rows";q=20;w=2'
    told = door.ask(key=sent_by(KEY))
    assert told.status_code == 429
    assert (told.headers["retry-after"], told.headers["ratelimit"]) == ("1", '"rows";r=0;t=1')
    assert door.count("rate") == 1
    door.clock.now += 0.1
    assert door.ask(key=sent_by(KEY)).status_code == 200
    assert door.ask(key=sent_by(KEY)).status_code == 429


def test_the_rows_of_a_batch_count() -> None:
    door = door_of(ring_of(KEY), LIMITED)
    assert door.ask(key=sent_by(KEY), **{"x-rows": "100"}).status_code == 200
    told = door.ask(key=sent_by(KEY))
    assert (told.status_code, told.headers["retry-after"]) == (429, "9")
    door.clock.now += 8.2
    assert door.ask(key=sent_by(KEY)).status_code == 200


def test_each_key_has_a_limit_of_its_own() -> None:
    free, slow = key_of(1, {"predict"}, rows_per_second=0.0), key_of(2, {"predict"}, rows_per_second=1.0)
    door = door_of(ring_of(KEY, free, slow), LIMITED)
    statuses = {key.id: [door.ask(key=sent_by(key)).status_code for _ in range(30)] for key in (KEY, free, slow)}
    assert {name: told.count(200) for name, told in statuses.items()} == {KEY.id: 20, free.id: 30, slow.id: 2}
    assert "ratelimit" not in door.ask(key=sent_by(free)).headers


def test_paths_without_a_key_have_no_limit() -> None:
    door = door_of(ring_of(KEY), Limits(rows_per_second=0.001, burst_seconds=1))
    assert {door.ask("/healthz").status_code for _ in range(20)} == {200}


def test_a_refused_key_costs_nobody_a_row() -> None:
    door = door_of(ring_of(KEY), LIMITED)
    for _ in range(50):
        door.ask(key=written(KEY.id, "1e" * 32))
        door.ask(READ, key=written(KEY.id, "1e" * 32))
    assert door.ask(key=sent_by(KEY)).headers["ratelimit"] == '"rows";r=19;t=0'


def test_no_bucket_is_kept_of_a_key_that_ended() -> None:
    keys = [key_of(number, {"predict"}) for number in range(50)]
    ring = KeyRing(lambda: list(keys))
    ring.look()
    door = door_of(ring, LIMITED)
    for key in list(keys):
        door.ask(key=sent_by(key))
        keys.remove(key)
        ring.look()
    assert len(door.guard.buckets) <= 2


def test_a_replica_that_leaves_tells_its_callers_to_connect_anew(door: Door) -> None:
    assert "connection" not in door.ask(key=sent_by(KEY)).headers
    door.draining.began = True
    assert door.ask(key=sent_by(KEY)).headers["connection"] == "close"


async def _sent(chunks: AsyncIterator[bytes], limits: Limits) -> list[Any]:
    """What a replica answers to a body that comes in chunks."""
    answers: list[Any] = []
    waiting = aiter(chunks)

    async def receive() -> Any:
        try:
            return {"type": "http.request", "body": await anext(waiting), "more_body": True}
        except StopAsyncIteration:
            return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        answers.append(message)

    headers = [(name.encode(), value.encode()) for name, value in BEARER.items()]
    scope = {"type": "http", "method": "POST", "path": PREDICT, "query_string": b"", "headers": headers}
    await door_of(ring_of(KEY), limits).guard(scope, receive, send)
    return answers


async def _never() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.Event().wait()


async def _dripping() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.001)


async def _slow_but_whole() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield b"x"
        await asyncio.sleep(0)


@pytest.mark.parametrize("chunks", [_never, _dripping])
def test_a_body_that_does_not_end_is_not_waited_for(chunks: Any) -> None:
    start, body = asyncio.run(_sent(chunks(), replace(Limits(), body_seconds=0.05)))
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
    assert b"slowly" in body["body"]


def test_a_body_in_many_pieces_is_read_whole() -> None:
    start, body = asyncio.run(_sent(_slow_but_whole(), Limits()))
    assert start["status"] == 200
    assert b'"bytes":20' in body["body"]
