"""What producers send, against the contract: fields that nobody declared, and values that are no plain value.

Each row is judged by itself, whatever its producer is like. This tells people what no judgement shows: a field that is
not read at all, and an object or a list in a column of text, which is read as its JSON.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.contract.source import Source
from millrace.contract.topic import RowFormat


@dataclass(frozen=True)
class Drift:
    """Of some messages against the contract: field → in how many of them.

    Attributes:
        unknown: Fields that no column is called by.
        nested: Fields of the contract whose value is an object or a list.
    """

    unknown: Mapping[str, int]
    nested: Mapping[str, int]


def row_of(value: bytes, said: RowFormat) -> Mapping[str, Any] | None:
    """The row that a message is; None in one that cannot be read."""
    told = object_in(value)
    if said == "json_envelope":
        told = told.get("payload") if told else None
    return told if isinstance(told, dict) else None


def object_in(value: bytes) -> dict[str, Any] | None:
    """The JSON object that a message is, of whatever format; None in one that cannot be read."""
    try:
        told = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def drift(source: Source, rows: Iterable[Mapping[str, Any]]) -> Drift:
    called = {*source.columns, *map(source.header_of, source.columns)}
    unknown: Counter[str] = Counter()
    nested: Counter[str] = Counter()
    for row in rows:
        unknown.update(name for name in row if name not in called)
        nested.update(name for name, value in row.items() if name in called and isinstance(value, dict | list))
    return Drift(dict(sorted(unknown.items())), dict(sorted(nested.items())))
