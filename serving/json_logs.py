"""The log of a replica: one JSON object a line, on stdout, whoever writes it.

The words of an error may quote a row, a header or a secret. Only ours are made to be read: of any other, the log has
its type and where it happened.
"""

import json
import logging
import sys
import traceback
from typing import Any

from millrace.contract.errors import MillraceError


class JsonLines(logging.Formatter):
    """Time (seconds since 1970), level, logger, replica, message; of an error, its type and its traceback."""

    def __init__(self, replica: str) -> None:
        super().__init__()
        self._replica = replica

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "replica": self._replica,
            "message": record.getMessage(),
        }
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            line |= told(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


class Whole(logging.Formatter):
    """Of a message that is a JSON object already."""

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage()


def told(error: BaseException) -> dict[str, str]:
    """What the log has of an error."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    words = {"error": type(error).__name__, "traceback": frames.rstrip("\n")}
    return words | ({"told": str(error)} if isinstance(error, MillraceError) else {})


def log_to_stdout(replica: str) -> None:
    """Make our own loggers write JSON lines, from INFO on."""
    ours = logging.getLogger("serving")
    ours.handlers, ours.propagate = [_handler(JsonLines(replica))], False
    ours.setLevel(logging.INFO)
    # Its lines are whole already, and the most of all.
    access = logging.getLogger("serving.access")
    access.handlers, access.propagate = [_handler(Whole())], False


def log_everything_to_stdout(replica: str) -> None:
    """Make every logger of this process do so: the server's from INFO on, those of libraries from WARNING on."""
    log_to_stdout(replica)
    root = logging.getLogger()
    root.handlers = [_handler(JsonLines(replica))]
    root.setLevel(logging.WARNING)
    server = logging.getLogger("uvicorn")
    server.handlers, server.propagate = [], True
    server.setLevel(logging.INFO)
    logging.captureWarnings(True)


def _handler(formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    return handler
