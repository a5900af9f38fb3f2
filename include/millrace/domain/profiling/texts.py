"""The values of one column as the file writes them, each distinct one once; and what they can be read as."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from millrace.contract.constraints import RAW_PATTERNS
from millrace.contract.source import ColumnType
from millrace.domain.profiling import nulls
from millrace.domain.profiling.dialect import DATE, Dialect
from millrace.domain.profiling.matching import Pattern
from millrace.domain.times import as_timestamp

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

READABLE_SHARE = 0.98
"""From this share of rows on, a column is of a type, and the values that are not are faults of single rows."""
_SWAPPED = str.maketrans(".,", ",.")
_TRUTHS = frozenset(["true", "false", "yes", "no", "y", "n"])
_NUMBER, _INTEGER = Pattern(RAW_PATTERNS["number"]), Pattern(RAW_PATTERNS["integer"])
_TIME = Pattern(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?( ?(Z|UTC|[+-](0[0-9]|1[0-3]):?[0-5][0-9]))?)?"
)
"""Times that Millrace reads without doubt, but for a day that its month lacks."""
# 00123 is no number, or its zeros would be lost; nor is what 64 bits cannot hold.
_NO_CODE = Pattern(r"(?![+-]?0[0-9])(?![+-]?[0-9]{19}).*")
_SHORT_HOUR = re.compile(r"^([ T])(?=[0-9]:)")
_LONGEST_TIME = 40


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
    nothing = _among(column.values, nulls.ANYWHERE)
    if _are_truths(_kept(column.values, ~nothing)):
        return Reading("boolean", nothing, ~nothing)
    empty = _among(column.values, nulls.AMONG_NUMBERS)
    plain = _with_point(column.values, dialect)
    readable = _readable(plain, ~empty, _NUMBER.matches, _NUMBER.matches_all)
    if _nearly_all(column, readable, empty):
        numbers = _kept(plain, readable)
        if not _NO_CODE.matches_all(numbers):
            return Reading("string", nothing, ~nothing)
        return Reading("integer" if _INTEGER.matches_all(numbers) else "number", empty, readable)
    readable = _readable(_with_year_first(column.values, dialect), ~empty, _is_time, _are_times)
    if _nearly_all(column, readable, empty):
        return Reading("timestamp", empty, readable)
    return Reading("string", nothing, ~nothing)


def _are_truths(values: Sequence[str]) -> bool:
    # Each of the six words may be written in a few ways, and no column of them has more values.
    return 0 < len(values) <= 40 and {value.lower() for value in values} <= _TRUTHS


def numbers_of(values: Sequence[str], dialect: Dialect) -> Floats:
    """The numbers that readable texts say."""
    return np.fromiter(map(float, _with_point(values, dialect)), dtype=np.float64, count=len(values))


def _nearly_all(column: TextColumn, readable: Flags, empty: Flags) -> bool:
    rows, all_rows = int(column.counts[readable].sum()), int(column.counts[~empty].sum())
    return rows > 0 and rows >= READABLE_SHARE * all_rows


def _readable(
    values: Sequence[str], asked: Flags, one: Callable[[str], bool], many: Callable[[Sequence[str]], bool]
) -> Flags:
    """Which of the values can be read, of those that are asked for."""
    kept = _kept(values, asked)
    # A column of words shows in its first hundred values that it holds neither numbers nor times.
    first = kept[:100]
    if sum(map(one, first)) < len(first) / 2:
        return np.zeros(len(values), dtype=bool)
    if many(kept):
        return asked
    flags = asked.copy()
    flags[asked] = np.fromiter(map(one, kept), dtype=bool, count=len(kept))
    return flags


def _kept(values: Sequence[str], flags: Flags) -> Sequence[str]:
    return values if flags.all() else [values[place] for place in np.flatnonzero(flags).tolist()]


def _among(values: Sequence[str], words: frozenset[str]) -> Flags:
    found = words.intersection(values)
    flags = np.zeros(len(values), dtype=bool)
    if found:
        flags[[place for place, value in enumerate(values) if value in found]] = True
    return flags


def _with_point(values: Sequence[str], dialect: Dialect) -> Sequence[str]:
    return values if dialect.decimal == "." else [value.translate(_SWAPPED) for value in values]


def _with_year_first(values: Sequence[str], dialect: Dialect) -> Sequence[str]:
    return values if dialect.dates == "iso" else [_year_first(value, dialect) for value in values]


def _year_first(value: str, dialect: Dialect) -> str:
    # As `spark_jobs.transforms.casting` reads them.
    if (found := DATE.fullmatch(value)) is None:
        return value
    day, month = (found[1], found[3]) if dialect.dates == "day_first" else (found[3], found[1])
    time = _SHORT_HOUR.sub(r"\g<1>0", found[5])
    return f"{found[4]}-{month:0>2}-{day:0>2}{time}"


def _are_times(values: Sequence[str]) -> bool:
    return _TIME.matches_all(values) and all(map(_is_time, {value[:10] for value in values}))


def _is_time(value: str) -> bool:
    if len(value) > _LONGEST_TIME:
        return False
    try:
        as_timestamp(value)
    except ValueError:
        return False
    return True
