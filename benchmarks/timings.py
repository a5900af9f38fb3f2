"""The phases that the steps tell in the task's log, as seconds."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def phases(*hidden: str) -> Iterator[dict[str, float]]:
    """Phase → its seconds; `all` at the end, the seconds of the whole block.

    Args:
        hidden: Names of this run's own tables, which are left out of a phase's name.
    """
    found: dict[str, float] = {}

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg.startswith("%s: %.1f s") and isinstance(record.args, tuple):
                what, seconds = str(record.args[0]), record.args[1]
                for name in hidden:
                    what = what.replace(name, "")
                assert isinstance(seconds, float)
                what = what.rstrip(" ._")
                found[what] = found.get(what, 0) + seconds

    logger, listener = logging.getLogger("millrace"), Listener()
    level, began = logger.level, time.perf_counter()
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    try:
        yield found
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
        found["all"] = time.perf_counter() - began
