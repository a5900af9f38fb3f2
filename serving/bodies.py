"""The body of a request: of the right kind, not too large, and JSON; as one row or as many."""

from typing import Any, Final, Literal, NoReturn

from pydantic_core import from_json
from starlette.requests import Request

from millrace.contract.errors import did_you_mean
from serving.faults import in_words
from serving.refusals import refuse
from serving.repeated_keys import repeated_key

MAX_BODY_BYTES = 2_000_000
MAX_ROWS = 1_000
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
Kind = Literal["application/json", "application/x-ndjson"]
ONE, MANY = '{"<column>": <value>, ...}', '{"rows": [{...}, ...]}'


async def read_body(request: Request, *kinds: Kind) -> tuple[Kind, bytes]:
    """What kind the body is said to be, and the whole of it.

    Args:
        kinds: Those that are taken here.

    Raises:
        RefusedError: 415 if it is said to be of no such kind, 413 as soon as it proves too large, however it is sent.
    """
    said = request.headers.get("content-type", "")
    kind = next((one for one in kinds if said == one), None) or _kind(said, kinds)
    if encoding := request.headers.get("content-encoding"):
        refuse(
            415,
            "The body is compressed",
            found=f"Content-Encoding {encoding[:60]}",
            expected="a body as it is",
            fix="send the body without Content-Encoding",
        )
    if int(request.headers.get("content-length", 0)) > MAX_BODY_BYTES:
        _refuse_size("the Content-Length " + request.headers["content-length"])
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            _refuse_size(f"more than {MAX_BODY_BYTES} bytes")
    return kind, b"".join(chunks)


def one_row(body: bytes) -> dict[str, Any]:
    """The one row that a body is, not yet checked.

    Raises:
        RefusedError: 400 if it is no JSON (or nested too deeply) or a key comes twice, 422 if it is no object.
    """
    sent = _read(body, ONE)
    if not isinstance(sent, dict):
        _refuse_shape(in_words(sent), ONE)
    return sent


def many_rows(kind: Kind, body: bytes) -> list[Any]:
    """The rows that a body holds, not yet checked one by one: a list in JSON, or a line each.

    Raises:
        RefusedError: 400 if it is no JSON, nested too deeply, or a key comes twice; 422 if it does not hold 1 to 1,000
            rows.
    """
    rows = _lines(body) if kind == NDJSON else _listed(_read(body, MANY))
    if not 1 <= len(rows) <= MAX_ROWS:
        _refuse_shape(f"{len(rows)} rows", f"1 to {MAX_ROWS} rows")
    return rows


def _kind(said: str, kinds: tuple[Kind, ...]) -> Kind:
    plain = said.partition(";")[0].strip().lower()
    known = next((one for one in kinds if plain == one), None)
    if known is None:
        refuse(
            415,
            "The body is not said to be JSON",
            found=f"Content-Type {said[:60]}" if said else "no Content-Type",
            expected=f"Content-Type {' or '.join(kinds)}",
            fix=f"send the header Content-Type: {kinds[0]}",
        )
    return known


def _listed(sent: Any) -> list[Any]:
    if not isinstance(sent, dict):
        _refuse_shape(in_words(sent), MANY)
    for key in sent:
        if key != "rows":
            _refuse_shape(f"the key {in_words(key)}", f"{MANY}; {did_you_mean(key, ['rows'])}")
    rows: Any = sent.get("rows")
    if not isinstance(rows, list):
        _refuse_shape("no rows" if "rows" not in sent else f"rows: {in_words(rows)}", MANY)
    return rows


def _lines(body: bytes) -> list[Any]:
    lines = [line for line in body.split(b"\n") if not line.isspace() and line]
    if len(lines) > MAX_ROWS:
        _refuse_shape(f"{len(lines)} lines", f"1 to {MAX_ROWS} lines")
    return [_read(line, ONE, f"line {number}: ") for number, line in enumerate(lines, start=1)]


def _read(text: bytes, expected: str, where: str = "") -> Any:
    try:
        parsed = from_json(text)
        twice = repeated_key(text, parsed)
    except ValueError as error:
        refuse(
            400,
            "The body is not JSON",
            found=f"{where}{error}",
            expected=expected,
            fix="send valid, flat JSON in UTF-8",
        )
    if twice is not None:
        refuse(
            400,
            "A key comes twice",
            found=f"{where}the key {in_words(twice)} more than once in an object",
            expected="each key once",
            fix="leave one of them away: nobody can tell which one is meant",
        )
    return parsed


def _refuse_size(found: str) -> NoReturn:
    refuse(
        413,
        "The body is too large",
        found=found,
        expected=f"at most {MAX_BODY_BYTES} bytes",
        fix=f"send at most {MAX_ROWS} rows a request, in several requests",
    )


def _refuse_shape(found: str, expected: str) -> NoReturn:
    refuse(
        422,
        "The body has another shape",
        found=found,
        expected=expected,
        fix="GET /v1/models/{problem}/schema tells the shape, /docs shows an example",
    )
