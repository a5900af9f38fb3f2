"""The body of a request: of the right kind, not too large, JSON, and a list of rows."""

from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from millrace.contract.errors import did_you_mean
from serving.faults import in_words
from serving.refusals import refuse

MAX_BODY_BYTES = 2_000_000
MAX_ROWS = 1_000
EXAMPLE = '{"rows": [{...}, ...]}'


async def read_body(request: Request) -> bytes:
    """The whole body.

    Raises:
        RefusedError: 415 if it is not said to be JSON, 413 as soon as it proves too large, however it is sent.
    """
    kind = request.headers.get("content-type", "")
    if kind != "application/json" and kind.partition(";")[0].strip().lower() != "application/json":
        refuse(
            415,
            "The body is not said to be JSON",
            found=f"Content-Type {kind}" if kind else "no Content-Type",
            expected="Content-Type application/json",
            fix="send the header Content-Type: application/json",
        )
    if encoding := request.headers.get("content-encoding"):
        refuse(
            415,
            "The body is compressed",
            found=f"Content-Encoding {encoding}",
            expected="a body as it is",
            fix="send the body without Content-Encoding",
        )
    if int(request.headers.get("content-length", 0)) > MAX_BODY_BYTES:
        _refuse_size("the Content-Length " + request.headers["content-length"])
    body = b""
    async for chunk in request.stream():
        body = body + chunk if body else chunk
        if len(body) > MAX_BODY_BYTES:
            _refuse_size(f"more than {MAX_BODY_BYTES} bytes")
    return body


def rows_of(body: bytes) -> list[Any]:
    """The rows that a body holds, not yet checked one by one.

    Raises:
        RefusedError: 400 if it is no JSON (or nested too deeply), 422 if it is not a list of 1 to 1,000 rows.
    """
    try:
        sent = from_json(body)
    except ValueError as error:
        refuse(400, "The body is not JSON", found=str(error), expected=EXAMPLE, fix="send valid, flat JSON in UTF-8")
    if not isinstance(sent, dict):
        _refuse_shape(in_words(sent), EXAMPLE)
    for key in sent:
        if key != "rows":
            _refuse_shape(f"the key {in_words(key)}", f"{EXAMPLE}; {did_you_mean(key, ['rows'])}")
    rows: Any = sent.get("rows")
    if not isinstance(rows, list):
        _refuse_shape("no rows" if "rows" not in sent else f"rows: {in_words(rows)}", EXAMPLE)
    if not 1 <= len(rows) <= MAX_ROWS:
        _refuse_shape(f"{len(rows)} rows", f"1 to {MAX_ROWS} rows")
    return list(rows)


def _refuse_size(found: str) -> None:
    refuse(
        413,
        "The body is too large",
        found=found,
        expected=f"at most {MAX_BODY_BYTES} bytes",
        fix=f"send at most {MAX_ROWS} rows a request, in several requests",
    )


def _refuse_shape(found: str, expected: str) -> None:
    refuse(
        422,
        "The body is not a list of rows",
        found=found,
        expected=expected,
        fix="GET /v1/models/{problem}/schema tells the shape, /docs shows an example",
    )
