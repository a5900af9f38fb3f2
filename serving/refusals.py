"""The one shape of every answer that is not a success: problem details (RFC 9457) with found, expected and fix."""

from typing import Any, NoReturn

from pydantic_core import to_json
from starlette.responses import Response

from serving.faults import Fault

RETRY_SECONDS = 5
"""How soon a caller may try again what the database or a full disk did not allow."""
MEDIA_TYPE = "application/problem+json"


class RefusedError(Exception):
    """A request that is answered with an error status.

    Args:
        status: HTTP status code.
        title: What is wrong, one sentence without a full stop.
        found: What the request had.
        expected: What would have been right.
        fix: What the caller does next.
        faults: Broken constraints of rows, as many as are shown.
        rows_refused: How many rows are invalid, shown or not.
    """

    def __init__(
        self,
        status: int,
        title: str,
        *,
        found: str,
        expected: str,
        fix: str,
        faults: list[Fault] | None = None,
        rows_refused: int = 0,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status, self.headers = status, headers
        self.body: dict[str, Any] = {
            "title": title,
            "status": status,
            "found": found,
            "expected": expected,
            "fix": fix,
            "errors": faults or [],
            "rows_refused": rows_refused,
        }


def response(error: RefusedError) -> Response:
    return Response(to_json(error.body), error.status, error.headers, MEDIA_TYPE)


def refuse(status: int, title: str, *, found: str, expected: str, fix: str) -> NoReturn:
    raise RefusedError(status, title, found=found, expected=expected, fix=fix)


DETAILS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["title", "status", "found", "expected", "fix", "errors", "rows_refused"],
    "properties": {
        "title": {"type": "string", "description": "What is wrong"},
        "status": {"type": "integer"},
        "found": {"type": "string"},
        "expected": {"type": "string"},
        "fix": {"type": "string", "description": "What to do next"},
        "errors": {
            "type": "array",
            "description": "Every broken constraint of the first invalid rows",
            "items": {
                "type": "object",
                "required": ["row", "column", "reason", "found", "expected"],
                "properties": {
                    "row": {"type": "integer", "description": "Position in `rows`, from 0"},
                    "column": {"type": ["string", "null"], "description": "null: the row as a whole"},
                    "reason": {"type": "string", "description": "Code, such as range:Age"},
                    "found": {"type": "string"},
                    "expected": {"type": "string"},
                },
            },
        },
        "rows_refused": {"type": "integer", "description": "How many rows are invalid"},
    },
}
"""JSON Schema of the error answers."""
