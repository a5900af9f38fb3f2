"""Whether the table that a source follows still is as the contract says, told by the rows that came of it last.

By the last ones, because older rows wait in the topic as they were: of a table that was mended they tell what was, and
of a contract that got another column what was not there yet.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from millrace.contract.constraints import RAW_PATTERNS
from millrace.contract.source import Column, ColumnType, Source
from millrace.domain.message_fields import object_in

Json = Literal["text", "number", "boolean", "object", "list"]
READ_AS: dict[ColumnType, tuple[Json, ...]] = {
    "string": ("text",),
    # As text come numeric and decimal, NaN, and whatever an application keeps as text.
    "integer": ("number", "text"),
    "number": ("number", "text"),
    "boolean": ("boolean", "number", "text"),
    # Every type of time comes as text. A number may be days or microseconds, and the message tells not which: of an
    # integer column, or of a connector that was registered by an earlier version.
    "timestamp": ("text",),
}
"""What a value of a column may be in JSON. A message says no type of the database."""


@dataclass(frozen=True)
class Differences:
    """Of the table against the contract.

    Attributes:
        unknown: Columns that the contract does not know.
        absent: Columns that the table lacks and a row may lack.
        lacking: Columns that the table lacks and each row must have.
        retyped: Column → what came, of columns whose value cannot be one of the contract's type.
    """

    unknown: tuple[str, ...]
    absent: tuple[str, ...]
    lacking: tuple[str, ...]
    retyped: Mapping[str, str]


def newest_commit(values: Iterable[bytes]) -> datetime | None:
    """When the newest of some messages' changes was committed; None where none tells."""
    found = [at for value in values if (at := _committed_at(value)) is not None]
    return max(found, default=None)


def _committed_at(value: bytes) -> datetime | None:
    try:
        return datetime.fromtimestamp(_told(value)["source"]["ts_us"] / 1_000_000, UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None


def row_in(value: bytes) -> Mapping[str, Any] | None:
    """The row that a message says there is now; None in any other, and in one that cannot be read."""
    row = _told(value).get("after")
    return row if isinstance(row, dict) and row else None


def _told(value: bytes) -> dict[str, Any]:
    """What a message says; nothing, where it cannot be read."""
    told = object_in(value) or {}
    # Somebody else's connector may put it into an envelope with its schema.
    return payload if isinstance(payload := told.get("payload"), dict) else told


def differences(source: Source, rows: Sequence[Mapping[str, Any]]) -> Differences:
    """What the newest rows tell.

    Args:
        rows: From the oldest to the newest, at least one. The columns are those of the newest; the type of each is
            judged by the values that are in JSON what the newest is: where one of them can be read, another that
            cannot is its row's fault, not the table's.
    """
    columns = {*rows[-1]}
    values: dict[str, list[object]] = {}
    for row in rows:
        for name, value in row.items():
            if value is not None:
                values.setdefault(name, []).append(value)
    missing = sorted({*source.columns} - columns)
    spared = {name for name, column in source.columns.items() if column.nullable}
    return Differences(
        unknown=tuple(sorted(columns - {*source.columns})),
        absent=tuple(name for name in missing if name in spared),
        lacking=tuple(name for name in missing if name not in spared),
        retyped={
            name: _in_words(values[name][-1])
            for name, column in source.columns.items()
            if name in columns & {*values} and not _can_be_of_one(values[name], column, source)
        },
    )


def _can_be_of_one(values: Sequence[object], column: Column, source: Source) -> bool:
    kind = _json(values[-1])
    return any(_can_be(value, column, source) for value in values if _json(value) == kind)


def _can_be(value: object, column: Column, source: Source) -> bool:
    kind = _json(value)
    text = str(value).strip()
    if kind not in READ_AS[column.type]:
        return False
    if column.type == "boolean":
        return _says_nothing(text, column, source) or re.fullmatch(RAW_PATTERNS["boolean"], text) is not None
    if column.type in ("integer", "number") and kind == "text":
        return _says_nothing(text, column, source) or _is_number(text)
    return True


def _says_nothing(text: str, column: Column, source: Source) -> bool:
    return text in {*source.null_values, *column.null_values}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json(value: object) -> Json:
    # In this order: a bool is an int, too.
    kinds: tuple[tuple[type | tuple[type, ...], Json], ...] = (
        (bool, "boolean"),
        ((int, float), "number"),
        (str, "text"),
        (list, "list"),
    )
    return next((kind for types, kind in kinds if isinstance(value, types)), "object")


def _in_words(value: object) -> str:
    kind = _json(value)
    # Without the value itself: it may be a person's.
    return {"text": "text", "object": "an object"}.get(kind, f"a {kind}")
