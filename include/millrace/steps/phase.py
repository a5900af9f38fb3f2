"""A line in the task's log for each phase of a step: what, how many, how long."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger("millrace")


@contextmanager
def phase(what: str) -> Iterator[dict[str, object]]:
    """Log `what` when it ends, with what the caller puts into the dict, and its seconds."""
    told: dict[str, object] = {}
    started = time.monotonic()
    try:
        yield told
    except BaseException:
        logger.info("%s: failed after %.1f s", what, time.monotonic() - started)
        raise
    counts = "".join(f", {name} {value}" for name, value in told.items())
    logger.info("%s: %.1f s%s", what, time.monotonic() - started, counts)
