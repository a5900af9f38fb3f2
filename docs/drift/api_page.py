"""The reference of the HTTP API, from the application's own OpenAPI document."""

from typing import Any

from docs.drift.markdown import table
from millrace.settings import get_settings
from serving.app import create_app
from serving.bodies import MANY, MAX_BODY_BYTES, MAX_ROWS, NDJSON, ONE
from serving.champion import Watch
from serving.key_ring import KeyRing
from serving.older_clients import ANSWER as OLDER_ANSWER
from serving.openapi import ANSWER, ANSWERS, FACTOR, MODEL, WARNING
from serving.prediction_routes import FILTERS
from serving.prediction_schemas import PAGE, RECEIPT, STORED
from serving.refusals import DETAILS_SCHEMA
from serving.storing import SpooledStore

HEAD = """\
# The HTTP API of a serving replica

`make open` prints the addresses. `/docs` of a running replica shows the same, with the exact request of each problem
that has a champion and an example to send.
"""
ASKING = f"""\
A request for one prediction is the row itself: `{ONE}`. Sensitive columns of the source may be sent along; they are
dropped unread. The columns of the key may be sent too: predictions of a row are found by them.

A request for many is `{MANY}`, or a row a line as `{NDJSON}`, which is answered the same way: 1 to {MAX_ROWS:,} rows,
at most {MAX_BODY_BYTES:,} bytes. `?explain=false` leaves the contributing factors away.
"""
ROWS = """\
A row that was predicted has the keys of one prediction without those of the model, and `row`, its position in the
request. A row that breaks the contract has `row` and `errors`.
"""
STORING = """\
A prediction is kept before it is answered; the database has it some seconds later, or when it is back. Then it is
listed, the newest first, and found by its id with the receipt of the version that made it.
"""

OLDER = """\
Services with one model had `POST /predict`, `POST /api/v1/predict` and `GET /model_info`. Here these mean the only
problem that is served, or `MILLRACE_DEFAULT_PROBLEM`; `GET /predictions` lists what is stored of it. A request is one
row as above, a refusal is as below, the answer is short:
"""


def api_page() -> str:
    """The page."""
    store = SpooledStore(get_settings())
    document = create_app(
        _watch_of_nothing(), KeyRing(list), store=store, read_row=lambda _problem, _key: None
    ).openapi()
    rows = [
        (f"`{method.upper()} {path}`", told["summary"], ", ".join(told["responses"]))
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]
    return "\n".join(
        [
            HEAD,
            table(("request", "answer", "statuses"), rows),
            ASKING,
            "## One prediction\n",
            _fields(ANSWER),
            "## One factor\n",
            _fields(FACTOR),
            "## One warning\n",
            _fields(WARNING),
            "## The model that answered\n",
            _fields(MODEL),
            "## Many predictions\n",
            _fields(ANSWERS),
            ROWS,
            "## Stored predictions\n",
            STORING,
            table(("parameter", "what is listed"), [(f"`{one['name']}`", one["description"]) for one in FILTERS]),
            "The answer:\n",
            _fields(PAGE),
            "## One stored prediction\n",
            _fields(STORED),
            "Its receipt; what cannot be looked up now is null, and `trouble` says why:\n",
            _fields(RECEIPT),
            "## Older clients\n",
            OLDER,
            _fields(OLDER_ANSWER),
            "## An error\n\nEvery answer that is no success has this shape (RFC 9457).\n",
            _fields(DETAILS_SCHEMA),
            "Each of `errors`:\n",
            _fields(DETAILS_SCHEMA["properties"]["errors"]["items"]),
        ]
    )


def _fields(schema: dict[str, Any]) -> str:
    rows = [(f"`{name}`", _kind(told), str(told.get("description", ""))) for name, told in schema["properties"].items()]
    return table(("key", "value", "meaning"), rows)


def _kind(told: dict[str, Any]) -> str:
    kind = told.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _watch_of_nothing() -> Watch:
    def report(*_told: object, **_more: object) -> None:
        raise AssertionError("no replica runs here")

    return Watch(
        "docs",
        champions=list,
        fetch=lambda _uri: {},
        report=report,
        history=lambda _problem: [],
        warm_up=lambda _served: None,
        cache=get_settings().packages_of("docs"),
    )
