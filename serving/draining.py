"""The end of a replica: it says that it leaves, goes on for a moment, and stops when what it has is answered.

Whoever sends requests here (a proxy, Kubernetes) learns of the end by `/readyz` and needs a moment to stop. A server
that closed its port at once would lose what they send meanwhile.
"""

import signal
import time
from dataclasses import dataclass
from types import FrameType

import uvicorn


@dataclass
class Draining:
    """Whether this replica leaves. The server sets it, `/readyz` tells it."""

    began: bool = False


class DrainingServer(uvicorn.Server):
    """A server whose first SIGTERM begins the end, and whose second is the end. SIGINT is, at once: a person waits.

    Args:
        drain_seconds: How long new requests are still taken.
    """

    def __init__(self, config: uvicorn.Config, draining: Draining, drain_seconds: float) -> None:
        super().__init__(config)
        self._draining, self._drain_seconds = draining, drain_seconds
        self._leaves_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and not self._draining.began:
            self._draining.began = True
            self._leaves_at = time.monotonic() + self._drain_seconds
            return
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if self._leaves_at is not None and time.monotonic() >= self._leaves_at:
            self._leaves_at = None
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)
