"""The query of a listing of predictions: which parameters there are, and what each may say."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from millrace.adapters.prediction_store import Wanted
from millrace.contract.errors import did_you_mean
from millrace.domain.prediction_record import storable_entity
from millrace.domain.times import as_timestamp
from millrace.domain.uuid7 import is_uuid7
from serving.refusals import refuse

MOST = 1_000
USUAL = 100
A_TIME = "a time such as 2026-01-31T10:20:30Z"
AN_ID = "the id of a prediction, such as 019adfd5-f1a0-7cc3-98c4-dc0c0c07398f"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def listing_of(query: Sequence[tuple[str, str]]) -> tuple[Wanted, int]:
    """What is asked for, and how many at most.

    Raises:
        RefusedError: 422, if a parameter is unknown, said twice, or says nothing valid.
    """
    said: dict[str, Any] = {}
    for name, value in query:
        if name not in PARAMETERS:
            _refuse(f"a parameter {name[:40]!r}", did_you_mean(name[:40], list(PARAMETERS)))
        if name in said:
            _refuse(f"{name} twice", f"{name} once")
        read, expected = PARAMETERS[name]
        try:
            said[name] = read(value)
        except (ValueError, OverflowError):
            _refuse(f"{name}={value[:60]!r}", expected)
    limit: int = said.pop("limit", USUAL)
    said["before"] = said.pop("cursor", None)
    return Wanted(**said), limit


def id_of(text: str) -> UUID:
    """The id that a path names.

    Raises:
        RefusedError: 422, if it is no UUIDv7.
    """
    try:
        return _id(text)
    except ValueError:
        refuse(
            422,
            "The id is not that of a prediction",
            found=text[:60],
            expected=AN_ID,
            fix="take prediction_id of the answer, or id of a listed prediction",
        )


def _id(text: str) -> UUID:
    if not _UUID.fullmatch(text) or not is_uuid7(found := UUID(text)) or found.int >> 80 > _LAST_MS:
        raise ValueError
    return found


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return read


def _moment(text: str) -> datetime:
    moment = as_timestamp(text)
    if not _FIRST_YEAR <= moment.year < _LAST_YEAR:
        raise ValueError
    return moment


def _text(text: str) -> str:
    # Postgres knows no NUL in a text.
    if not text or "\0" in text:
        raise ValueError
    return text


_FIRST_YEAR, _LAST_YEAR = 1971, 9999
_LAST_MS = 253_370_764_800_000
"""The beginning of the year 9999: Python's dates end with it."""
PARAMETERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "limit": (_number(1, MOST), f"a number from 1 to {MOST}"),
    "cursor": (_id, "next_cursor of the page before"),
    "since": (_moment, A_TIME),
    "until": (_moment, A_TIME),
    "version": (_number(1, 2**31 - 1), "the number of a version"),
    "risk_category": (_text, "the name of a risk band"),
    "entity": (lambda text: storable_entity(_text(text)), "the entity as a listed prediction tells it"),
}
"""Name → how it is read, and what it may be."""


def _refuse(found: str, expected: str) -> NoReturn:
    refuse(
        422,
        "The query cannot be understood",
        found=found,
        expected=expected,
        fix=f"the parameters are {', '.join(PARAMETERS)}, each once",
    )
