"""Waiting for what must become true, and no longer."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_SECONDS = 0.5


def await_that(what: str, look: Callable[[], T], *, seconds: float) -> T:
    """Look until the answer is true in Python's sense, and return it.

    Raises:
        AssertionError: If that takes longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(LOOK_SECONDS)
    return found
