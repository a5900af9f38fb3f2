"""Tables to profile, written down as columns of texts; and which rows would break the contract drafted from them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from millrace.contract.constraints import RAW_PATTERNS, HasType, InRange, InSet, MatchesPattern, column_constraints
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.domain.profiling.dialect import Dialect
from millrace.domain.profiling.draft import draft
from millrace.domain.profiling.table import TableProfile, profile_table
from millrace.domain.profiling.texts import TextColumn
from millrace.domain.times import as_timestamp

Texts = Mapping[str, Sequence[str]]


def profiled(columns: Texts, label: str, dialect: Dialect | None = None) -> TableProfile:
    """The profile of a file with these columns."""
    headers, values = tuple(columns), list(columns.values())
    dialect = dialect or Dialect(headers)

    def load(place: int) -> TextColumn:
        distinct, codes = np.unique(np.array(values[place], dtype=object), return_inverse=True)
        return TextColumn(distinct.tolist(), codes.astype(np.int32))

    return profile_table(dialect, len(values[0]), load, label, "some.csv")


def drafted(table: TableProfile) -> str:
    return draft(table, problem="some", source="some_rows", file="some.csv", total_rows=table.rows, schema=False)


def loaded(table: TableProfile, folder: Path) -> Problem:
    """The draft, as lint reads it."""
    path = folder / "some.yaml"
    path.write_text(drafted(table), encoding="utf-8")
    return load_problem(path)


def broken_rows(problem: Problem, columns: Texts) -> dict[str, int]:
    """Column → how many of its texts break the contract, as the engines judge them."""
    source, found = problem.source, {}
    for name, column in source.columns.items():
        nothing = {*source.null_values, *column.null_values}
        found[name] = 0
        for text in columns[source.header_of(name)]:
            plain = re.sub(r"^([+-]?[0-9]+)\.0+$", r"\1", text) if column.type == "integer" else text
            if text in nothing or plain in nothing:
                found[name] += not column.nullable
            else:
                found[name] += any(not _holds(constraint, text) for constraint in column_constraints(name, column))
    return found


def _holds(constraint: object, text: str) -> bool:
    match constraint:
        case HasType(type="string"):
            return True
        case HasType(type="timestamp"):
            try:
                as_timestamp(text)
            except ValueError:
                return False
            return True
        case HasType(type=kind):
            return re.fullmatch(RAW_PATTERNS[kind], text) is not None
        case InRange(min=low, max=high):
            return (low is None or float(text) >= low) and (high is None or float(text) <= high)
        case InSet(allowed=allowed):
            return text in allowed or (not isinstance(allowed[0], str) and int(float(text)) in allowed)
        case MatchesPattern(pattern=pattern):
            return re.fullmatch(pattern, text) is not None
    return True
