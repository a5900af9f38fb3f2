"""What one column of a file seems to hold."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from millrace.contract.source import ColumnType, Scalar
from millrace.domain.profiling import nulls
from millrace.domain.profiling.association import SureLevel, auc_of_levels, auc_of_numbers, sure_levels
from millrace.domain.profiling.dialect import Dialect
from millrace.domain.profiling.personal import why_personal
from millrace.domain.profiling.pictures import Bar, bars_of_levels, bars_of_numbers
from millrace.domain.profiling.ranges import hidden_zero, sentinel, with_slack
from millrace.domain.profiling.shape import common_pattern
from millrace.domain.profiling.texts import Flags, Reading, TextColumn, numbers_of, read_column

MOST_LEVELS = 20
"""A column of words with no more values than this is taken to have these and no others."""
_LOOKED_AT = 2_000
_EXACT = 2.0**53
_DATES = re.compile(r"[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}([ T][0-9:.]+)?")


@dataclass(frozen=True)
class ColumnProfile:
    """One column: what it seems to hold, and what is odd about it."""

    name: str
    header: str
    type: ColumnType
    rows: int
    missing: int
    """Rows without a value."""
    distinct: int
    """Distinct texts, "no value" not counted."""
    unreadable: int
    """Rows whose value is not of the type; they would be quarantined."""
    null_values: tuple[str, ...]
    """Spellings of "no value" that Millrace must be told."""
    personal: str | None = None
    """What makes it look personal; nothing of its values is then told anywhere."""
    seen: tuple[float, float, float] | None = None
    """Smallest value, median and largest of a number."""
    range: tuple[float, float] | None = None
    """What was seen, with slack."""
    allowed: tuple[Scalar, ...] | None = None
    pattern: str | None = None
    other_dates: bool = False
    """Whether it holds dates that Millrace does not read, such as 31.12.24."""
    suspects: tuple[str, ...] = ()
    """Words that may mean "no value"."""
    hidden_zero: tuple[int, float] | None = None
    """Rows that say 0, and the next smallest value, where 0 seems to mean "not measured"."""
    sentinel: tuple[int, float] | None = None
    """Rows, and the number far outside that they say."""
    auc: float = 0.5
    """How well the column alone sorts the rows by label: .5 is chance, 1 knows the answer."""
    sure: tuple[SureLevel, ...] = ()
    bars: tuple[Bar, ...] = ()

    @property
    def unique(self) -> bool:
        """Whether each row has a value, and no other row has the same."""
        return not self.missing and not self.unreadable and self.distinct == self.rows

    @property
    def constant(self) -> bool:
        return self.distinct <= 1


def profile_column(name: str, header: str, column: TextColumn, dialect: Dialect, positive: Flags) -> ColumnProfile:
    """Look at one column.

    Args:
        name: What the contract will call it.
        dialect: How the file is written.
        positive: Rows whose label is positive.
    """
    reading = read_column(column, dialect)
    values = [value for value, fine in zip(column.values, reading.readable, strict=True) if fine]
    spellings = {value for value, empty in zip(column.values, reading.nothing, strict=True) if empty}
    # Times and decimal numbers are personal by their name only where a name says so; measurements never are.
    personal = None if reading.type in ("number", "boolean") else why_personal(header, values[:_LOOKED_AT])
    profile = ColumnProfile(
        name=name,
        header=header,
        type=reading.type,
        rows=len(column.codes),
        missing=int(column.rows_where(reading.nothing).sum()),
        distinct=len(values),
        unreadable=int(column.rows_where(~(reading.nothing | reading.readable)).sum()),
        null_values=tuple(sorted(spellings - nulls.KNOWN)),
        personal=personal,
    )
    if not values:
        return profile
    if reading.type in ("integer", "number"):
        return _numbers(profile, column, reading, dialect, positive)
    return _words(profile, column, reading, values, positive)


def _numbers(
    profile: ColumnProfile, column: TextColumn, reading: Reading, dialect: Dialect, positive: Flags
) -> ColumnProfile:
    places = np.flatnonzero(reading.readable)
    # From here on a distinct text is one that says a number.
    known = column.rows_where(reading.readable)
    codes = (np.cumsum(reading.readable) - 1)[column.codes].astype(np.int32)
    counts = column.counts[places]
    numbers = numbers_of([column.values[place] for place in places.tolist()], dialect)
    order = np.argsort(numbers, kind="stable")
    middle = float(numbers[order][np.searchsorted(np.cumsum(counts[order]), counts.sum() / 2)])
    low, high = float(numbers.min()), float(numbers.max())
    distinct, whole = np.unique(numbers), profile.type == "integer"
    exact = max(abs(low), abs(high)) < _EXACT
    zero, odd = (hidden_zero(numbers, counts), sentinel(numbers, counts)) if exact else (None, None)
    levels = tuple(int(number) for number in distinct) if whole and len(distinct) == 2 else None
    if profile.personal is None:
        profile = replace(
            profile,
            seen=(low, middle, high),
            range=with_slack(low, high, whole=whole) if exact else None,
            allowed=levels,
            hidden_zero=(int(counts[numbers == 0].sum()), zero) if zero is not None else None,
            sentinel=(int(counts[numbers == odd].sum()), odd) if odd is not None else None,
            bars=bars_of_numbers(numbers, codes, known, positive) if exact else (),
            sure=tuple(sure_levels([f"{n:g}" for n in numbers], codes, ~known, positive)) if levels else (),
        )
    return replace(profile, auc=auc_of_numbers(numbers, codes, ~known, positive))


def _words(
    profile: ColumnProfile, column: TextColumn, reading: Reading, values: Sequence[str], positive: Flags
) -> ColumnProfile:
    missing = ~column.rows_where(reading.readable)
    auc = auc_of_levels(column.codes, missing, positive, len(column.values))
    profile = replace(profile, auc=auc, other_dates=profile.type == "string" and _are_dates(values))
    if profile.personal is not None or profile.type == "timestamp":
        return profile
    few = len(values) <= MOST_LEVELS and (len(values) <= 5 or 3 * len(values) <= profile.rows - profile.missing)
    is_text = profile.type == "string"
    # An identifier or a free text in bars would only show rows.
    repeats = few or 2 * len(values) <= profile.rows - profile.missing
    return replace(
        profile,
        allowed=tuple(sorted(values)) if few and is_text else None,
        pattern=common_pattern(values) if not few and is_text and not profile.other_dates else None,
        suspects=tuple(nulls.suspects(values)) if few and is_text else (),
        sure=tuple(sure_levels(column.values, column.codes, missing, positive)) if few else (),
        bars=bars_of_levels(column.values, column.codes, ~missing, positive) if repeats else (),
    )


def _are_dates(values: Sequence[str]) -> bool:
    looked_at = values[:_LOOKED_AT]
    return sum(_DATES.fullmatch(value) is not None for value in looked_at) >= 0.9 * len(looked_at)
