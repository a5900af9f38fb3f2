"""The values of one column as the file writes them, each distinct one once; and what they can be read as."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from millrace.contract.constraints import RAW_PATTERNS
from millrace.contract.source import ColumnType
from millrace.domain.profiling.dialect import DATE, Dialect
from millrace.domain.profiling.nulls import says_nothing, says_nothing_among_numbers
from millrace.domain.times import as_timestamp

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

READABLE_SHARE = 0.98
"""From this share of rows on, a column is of a type, and the values that are not are faults of single rows."""
_SWAPPED = str.maketrans(".,", ",.")
_TRUTHS = frozenset(["true", "false", "yes", "no", "y", "n"])
_NUMBER, _INTEGER = re.compile(RAW_PATTERNS["number"]), re.compile(RAW_PATTERNS["integer"])
_SHORT_HOUR = re.compile(r"^([ T])(?=[0-9]:)")
_LONGEST_TIME = 40
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]+")
_TOO_LONG = re.compile(r"[+-]?[0-9]{19,}")


@dataclass(frozen=True)
class TextColumn:
    """One column: its distinct texts, and for each row the place of its text among them (shape: rows)."""

    values: Sequence[str]
    codes: NDArray[np.int32]

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Rows of each distinct text."""
        return np.bincount(self.codes, minlength=len(self.values))

    def rows_where(self, kept: Flags) -> Flags:
        """The rows whose text is one of those kept (a flag for each distinct text)."""
        return kept[self.codes] if len(self.values) else np.zeros(len(self.codes), dtype=bool)


@dataclass(frozen=True)
class Reading:
    """A type, and for each distinct text whether it says no value, and whether it says one of the type."""

    type: ColumnType
    nothing: Flags
    readable: Flags


def read_column(column: TextColumn, dialect: Dialect) -> Reading:
    """The narrowest type that nearly all rows with a value can be read as; string fits everything."""
    nothing, among_numbers = _flags(column.values, says_nothing), _flags(column.values, says_nothing_among_numbers)
    said = [value for value, empty in zip(column.values, nothing, strict=True) if not empty]
    if said and {value.lower() for value in said[:10]} <= _TRUTHS and {value.lower() for value in said} <= _TRUTHS:
        return Reading("boolean", nothing, ~nothing)
    reads: tuple[tuple[ColumnType, Callable[[str], bool]], ...] = (
        ("number", lambda value: _NUMBER.fullmatch(_with_point(value, dialect)) is not None),
        ("timestamp", lambda value: _is_time(_with_year_first(value, dialect))),
    )
    for kind, reads_it in reads:
        readable = ~among_numbers & _flags(column.values, reads_it, unless_few_of=~among_numbers)
        rows, all_rows = column.counts[readable].sum(), column.counts[~among_numbers].sum()
        if not rows or rows < READABLE_SHARE * all_rows:
            continue
        if kind == "number":
            numbers = [value for value, fine in zip(column.values, readable, strict=True) if fine]
            if any(map(_is_code, numbers)):
                break
            whole = all(_INTEGER.fullmatch(_with_point(value, dialect)) for value in numbers)
            return Reading("integer" if whole else "number", among_numbers, readable)
        return Reading(kind, among_numbers, readable)
    return Reading("string", nothing, ~nothing)


def numbers_of(values: Sequence[str], dialect: Dialect) -> Floats:
    """The numbers that readable texts say."""
    return np.array([float(_with_point(value, dialect)) for value in values], dtype=np.float64)


def _with_point(value: str, dialect: Dialect) -> str:
    return value if dialect.decimal == "." else value.translate(_SWAPPED)


def _with_year_first(value: str, dialect: Dialect) -> str:
    # As `spark_jobs.transforms.casting` reads them.
    if dialect.dates == "iso" or (found := DATE.fullmatch(value)) is None:
        return value
    day, month = (found[1], found[3]) if dialect.dates == "day_first" else (found[3], found[1])
    time = _SHORT_HOUR.sub(r"\g<1>0", found[5])
    return f"{found[4]}-{month:0>2}-{day:0>2}{time}"


def _flags(values: Sequence[str], holds: Callable[[str], bool], unless_few_of: Flags | None = None) -> Flags:
    # A column of words shows in its first hundred values that it holds neither numbers nor times.
    if unless_few_of is not None:
        first = [values[place] for place in np.flatnonzero(unless_few_of)[:100]]
        if sum(map(holds, first)) < len(first) / 2:
            return np.zeros(len(values), dtype=bool)
    return np.fromiter(map(holds, values), dtype=bool, count=len(values))


def _is_code(value: str) -> bool:
    # 00123 is no number, or its zeros would be lost; nor is what 64 bits cannot hold.
    return _LEADING_ZERO.fullmatch(value) is not None or _TOO_LONG.fullmatch(value) is not None


def _is_time(value: str) -> bool:
    if len(value) > _LONGEST_TIME:
        return False
    try:
        as_timestamp(value)
    except ValueError:
        return False
    return True
