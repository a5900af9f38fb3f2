"""Who may ask, how much, and how slowly: between the figures of a request (`observing`) and its route.

One dictionary look-up, one SHA-256 of 64 bytes and one comparison a request: `benchmarks` would not see it.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from millrace.domain.api_keys import ApiKey, is_of, taken_apart
from millrace.domain.api_keys import Scope as Right
from millrace.domain.rate_limit import TokenBucket
from serving.begun import Begun
from serving.draining import Draining
from serving.key_ring import KeyRing
from serving.refusals import RefusedError, response

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})
OPEN_BELOW = ("/static-offline-docs/", "/page/")
"""What the pages are made of."""
PREDICTIONS = ("/predict", "/predict/batch", "/predict/by-key")
LOOKING = ("GET", "HEAD")
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="millrace"'}


def needed(method: str, path: str) -> Right | None:
    """The scope that a request needs; None for what is open to everybody who reaches the port."""
    if path in OPEN_PATHS:
        return None
    if method in LOOKING:
        return None if path.startswith(OPEN_BELOW) else "read"
    return "predict" if method == "POST" and path.endswith(PREDICTIONS) else "admin"


@dataclass(frozen=True)
class Limits:
    """How much a key may ask for and how slowly, unless the key has a limit of its own."""

    rows_per_second: float = 0.0
    """0 is no limit."""
    burst_seconds: float = 5.0
    """So many seconds' worth of rows may come at once."""
    body_seconds: float = 10.0
    """Within this time of its headers a body has to be here."""


class Guarding:
    """ASGI middleware. Puts the id of the key into `scope["millrace.key"]`, and its client into `millrace.client`."""

    def __init__(
        self,
        app: ASGIApp,
        ring: KeyRing,
        draining: Draining,
        registry: CollectorRegistry,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.app, self.ring, self.draining = app, ring, draining
        self.limits, self.registry, self.clock, self.now = limits, registry, clock, now
        self.buckets: dict[str, TokenBucket] = {}
        refused = Counter("millrace_refused", "Requests refused before their route", ["reason"], registry=registry)
        self.refused = cache(refused.labels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            key = self._let_in(scope)
            bucket = self._bucket(key) if key else None
        except RefusedError as error:
            await response(error)(scope, receive, send)
            return
        until: float | None = None
        whole = False

        async def in_time() -> Message:
            nonlocal until, whole
            if whole:
                return await receive()
            coming = Begun(receive())
            if coming.is_here:
                message: Message = coming.value
            else:
                if until is None:
                    until = asyncio.get_running_loop().time() + self.limits.body_seconds
                try:
                    async with asyncio.timeout_at(until):
                        message = await coming
                except TimeoutError:
                    self.refused("slow_body").inc()
                    raise _too_slow(self.limits.body_seconds) from None
            whole = not message.get("more_body", False)
            return message

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                if self.draining.began:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
                if bucket is not None:
                    message["headers"] = [*message["headers"], *_limit(bucket, self.clock())]
            await send(message)

        try:
            await self.app(scope, in_time, send if bucket is None and not self.draining.began else told)
        finally:
            if bucket is not None and (more := scope.get("millrace.told", {}).get("rows", 1) - 1) > 0:
                bucket.take(more, self.clock())

    def _let_in(self, scope: Scope) -> ApiKey | None:
        """The key of a request, None where it needs none.

        Raises:
            RefusedError: 401 without a key in force, 403 if it may not do this, 503 before the keys are known.
        """
        right = needed(scope["method"], scope["path"])
        if right is None:
            return None
        keys = self.ring.keys
        if keys is None:
            self.refused("keys_not_known").inc()
            raise _not_known_yet()
        sent = _credential(scope["headers"])
        if sent is None:
            self.refused("no_key").inc()
            raise _no_key("no API key")
        parts = taken_apart(sent)
        key = keys.get(parts[0]) if parts else None
        if not is_of(parts[1] if parts else b"", key) or key is None or key.is_over(self.now()):
            self.refused("key_not_in_force").inc()
            raise _no_key("an API key that is not in force")
        scope["millrace.key"], scope["millrace.client"] = key.id, key.client
        if right not in key.scopes:
            self.refused("scope").inc()
            raise _not_allowed(right, key)
        return key

    def _bucket(self, key: ApiKey) -> TokenBucket | None:
        """The bucket of a key, None if it has no limit.

        Raises:
            RefusedError: 429 while there is no token in it.
        """
        rate = self.limits.rows_per_second if key.rows_per_second is None else key.rows_per_second
        if not rate:
            return None
        now = self.clock()
        bucket = self.buckets.get(key.id)
        if bucket is None:
            # Those of keys that ended go, so that there are never more than keys.
            self.buckets = {name: one for name, one in self.buckets.items() if name in (self.ring.keys or {})}
            bucket = self.buckets[key.id] = TokenBucket(rate, rate * self.limits.burst_seconds, now)
        if wait := bucket.seconds_until_next(now):
            self.refused("rate").inc()
            raise _too_much(bucket, wait, now)
        bucket.take(1, now)
        return bucket


def _credential(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """What was sent as a key: `X-API-Key`, or `Authorization: Bearer`. Whoever sends two keys sends none."""
    found: bytes | None = None
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            sent = value[7:]
        elif name == b"x-api-key":
            sent = value
        else:
            continue
        if found is not None and found != sent:
            return None
        found = sent
    return found


def _limit(bucket: TokenBucket, now: float) -> list[tuple[bytes, bytes]]:
    """What is left, as the IETF's draft of RateLimit header fields writes it."""
    window = math.ceil(bucket.burst / bucket.rate)
    return [
        (b"ratelimit-policy", b'"rows";q=%d;w=%d' % (bucket.burst, window)),
        (b"ratelimit", b'"rows";r=%d;t=%d' % (bucket.left(now), math.ceil(bucket.seconds_until_next(now)))),
    ]


def _no_key(found: str) -> RefusedError:
    return RefusedError(
        401,
        "An API key is needed",
        found=found,
        expected="Authorization: Bearer mr_…, or X-API-Key: mr_…, with a key in force",
        fix="ask the operators for a key; `millrace keys create` makes one",
        headers=CHALLENGE,
    )


def _not_allowed(right: str, key: ApiKey) -> RefusedError:
    return RefusedError(
        403,
        "The API key does not allow this",
        found=f"a key with the scopes {', '.join(sorted(key.scopes))}",
        expected=f"a key with the scope {right}",
        fix="ask the operators for a key with this scope",
    )


def _not_known_yet() -> RefusedError:
    return RefusedError(
        503,
        "This replica does not know the API keys yet",
        found="a replica that has just started, and no database that answers",
        expected="the keys, looked up once",
        fix="ask again in a moment; /readyz tells when it is ready",
        headers={"Retry-After": "1"},
    )


def _too_slow(seconds: float) -> RefusedError:
    return RefusedError(
        408,
        "The body came too slowly",
        found=f"not all of it after {seconds:g} s",
        expected=f"the whole body within {seconds:g} s of the headers",
        fix="send it at once; split what is too large for your line",
        headers={"Connection": "close"},
    )


def _too_much(bucket: TokenBucket, wait: float, now: float) -> RefusedError:
    headers: dict[str, Any] = {name.decode(): value.decode() for name, value in _limit(bucket, now)}
    return RefusedError(
        429,
        "Too many rows",
        found="a key that has sent more than it may for now",
        expected=f"{bucket.rate:g} rows a second on average, {bucket.burst:g} at once",
        fix="wait as Retry-After tells; send rows in batches, and fewer",
        headers=headers | {"Retry-After": str(math.ceil(wait))},
    )
