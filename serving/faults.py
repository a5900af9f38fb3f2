"""Why a request was refused: every broken constraint of every row, in words."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import ValidationError

from millrace.contract.constraints import (
    ColumnConstraint,
    CrossColumn,
    HasType,
    InRange,
    InSet,
    MatchesPattern,
    Required,
    reason,
)
from millrace.contract.errors import did_you_mean
from millrace.contract.source import Column, ColumnType
from serving.request_models import RequestModel

TYPE_WORDS: dict[ColumnType, str] = {
    "string": "a text",
    "integer": "an integer below 9,000,000,000,000,000,000, not in quotes",
    "number": "a finite number, not in quotes",
    "boolean": "true or false",
    "timestamp": "a time such as 2026-01-31T10:20:30Z",
}

MOST_UNKNOWN = 100
"""Unknown keys of a row that are told: the closest known name is searched for each, and a body has room for 200,000."""

LONGEST_NAME = 100


@dataclass(frozen=True)
class Fault:
    """One broken constraint. `reason` is the code of `contract.constraints.reason`, or `unknown` or `row`."""

    row: int
    column: str | None
    reason: str
    found: str
    expected: str


def faults_of_row(model: RequestModel, position: int, sent: object) -> list[Fault]:
    """Everything that is wrong with one row; nothing for a valid one. `position` counts from 0."""
    if not isinstance(sent, dict):
        return [Fault(position, None, "row", in_words(sent), "an object with one key a column")]
    row = model.normalised(sent)
    # A value is shown to nobody where the column is unknown: it may be one that the contract calls sensitive.
    faults = [
        Fault(position, name, f"unknown:{name}", "a column that the model does not take", _hint(name, model.columns))
        for name in islice((_short(name) for name in row if name not in model.columns), MOST_UNKNOWN)
    ]
    readable: dict[str, Any] = {}
    for name, column in model.columns.items():
        broken = _broken(model, name, row.get(name))
        if not any(isinstance(c, HasType | Required) for c in broken):
            readable[name] = row.get(name)
        found = in_words(sent[name]) if name in sent else "nothing"
        faults += [Fault(position, name, reason(c), found, expected_in_words(c, column)) for c in broken]
    for rule in model.broken_rules(readable):
        found = f"{rule.left} = {in_words(row[rule.left])}, {rule.right} = {in_words(row[rule.right])}"
        expected = f"{rule.left} {rule.operator} {rule.right}"
        faults.append(Fault(position, None, reason(CrossColumn(rule)), found, expected))
    return faults


def _broken(model: RequestModel, name: str, value: object) -> list[ColumnConstraint]:
    column = model.columns[name]
    if value is None:
        return [] if column.nullable else [Required(name)]
    broken: list[ColumnConstraint] = []
    for constraint, adapter in model.single[name]:
        try:
            adapter.validate_python(value)
        except ValidationError:
            broken.append(constraint)
            if isinstance(constraint, HasType):
                break  # What is not of the type has neither range nor pattern.
    return broken


def expected_in_words(constraint: ColumnConstraint, column: Column) -> str:
    """What would have been right."""
    unit = f" {column.unit}" if column.unit else ""
    alternative = ", or null" if column.nullable else ""
    match constraint:
        case Required():
            return f"a value: {TYPE_WORDS[column.type]}"
        case HasType(type=kind):
            return TYPE_WORDS[kind] + alternative
        case InRange(min=low, max=high):
            if low is None or high is None:
                return (f"at most {high:g}" if low is None else f"at least {low:g}") + unit + alternative
            return f"{low:g} to {high:g}{unit}{alternative}"
        case InSet(allowed=allowed):
            return "one of " + ", ".join(in_words(value) for value in allowed) + alternative
        case MatchesPattern(pattern=pattern):
            return f"a text that matches {pattern}{alternative}"


def in_words(value: object) -> str:
    """A value as an error shows it: JSON-like and short."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _short(name: str) -> str:
    """A key as an error shows it: a caller may send one of a megabyte, and would get it back three times."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _hint(name: str, columns: Mapping[str, Column]) -> str:
    """The closest column; and the letter that only looks like one of it, or the two could not be told apart."""
    foreign = next((letter for letter in name if not letter.isascii() and not any(letter in c for c in columns)), None)
    if foreign is None:
        return did_you_mean(name, list(columns))
    letter = f"U+{ord(foreign):04X} {unicodedata.name(foreign, 'without a name')}"
    return f"{did_you_mean(name, list(columns))} (it holds the character {letter})"
