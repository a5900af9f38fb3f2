"""Awaiting what is mostly here already, without paying for a deadline where it is.

A timer of asyncio costs each request more than its key. The body of nearly all requests comes with their headers: so
what is awaited is begun by hand, and only where it has to wait is there something to set a deadline for.
"""

from collections.abc import Awaitable, Generator
from typing import Any


class Begun:
    """Something awaitable that was begun. `value` is its result if it `is_here`; otherwise await this object."""

    __slots__ = ("_step", "_waits_for", "is_here", "value")

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self._step: Any = awaitable.__await__()
        self._waits_for: Any = None
        self.value: Any = None
        self.is_here = False
        try:
            self._waits_for = next(self._step)
        except StopIteration as done:
            self.value, self.is_here = done.value, True

    def __await__(self) -> Generator[Any, Any, Any]:
        # What `yield from` does, from the second step on.
        waits_for = self._waits_for
        try:
            while True:
                try:
                    told = yield waits_for
                except BaseException as error:  # noqa: BLE001 -- a cancellation, for the one that waits
                    waits_for = self._step.throw(error)
                else:
                    waits_for = self._step.send(told)
        except StopIteration as done:
            return done.value
