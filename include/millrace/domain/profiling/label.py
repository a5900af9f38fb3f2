"""The column that is to be predicted: which of its values means yes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from millrace.contract.constraints import TRUE_SPELLINGS
from millrace.contract.errors import MillraceError, did_you_mean
from millrace.contract.source import ColumnType, Scalar
from millrace.domain.profiling.dialect import Dialect
from millrace.domain.profiling.texts import Flags, TextColumn, numbers_of, read_column

MOST_CLASSES = 20
_YES = ("1", "yes", "true", "y", "ja", "oui", "positive", "pos", "fraud", "churn", "churned", "left", "bad", "purchase")


@dataclass(frozen=True)
class LabelProfile:
    """What is to be predicted. `classes` are its values, the most frequent first, each with its rows."""

    header: str
    type: ColumnType
    positive: Scalar
    positive_rows: int
    known_rows: int
    unknown_rows: int
    unreadable: int
    classes: tuple[tuple[Scalar, int], ...]

    @property
    def prevalence(self) -> float:
        return self.positive_rows / self.known_rows


def label_place(headers: Sequence[str], wanted: str, place: str) -> int:
    """Where in the header the label is.

    Raises:
        MillraceError: If it is not there.
    """
    if wanted in headers:
        return list(headers).index(wanted)
    raise MillraceError(
        f"The file has no column {wanted!r} to predict",
        place=f"{place}, the header",
        found=", ".join(headers[:12]) + (f" and {len(headers) - 12} more" if len(headers) > 12 else ""),
        expected=did_you_mean(wanted, [header for header in headers if header]),
        fix="name one of the columns: --label COLUMN",
    )


def profile_label(header: str, column: TextColumn, dialect: Dialect, place: str) -> tuple[LabelProfile, Flags]:
    """The label, and the rows in which it is positive.

    Raises:
        MillraceError: If it holds one value only, or cannot be answered by yes or no.
    """
    reading = read_column(column, dialect)
    values = [value for value, fine in zip(column.values, reading.readable, strict=True) if fine]
    read: list[Scalar]
    if reading.type == "boolean":
        read = [value.lower() in TRUE_SPELLINGS for value in values]
    elif reading.type == "integer":
        read = [int(number) for number in numbers_of(values, dialect)]
    else:
        read = list(values)
    rows: dict[Scalar, int] = {}
    for value, count in zip(read, column.counts[reading.readable].tolist(), strict=True):
        rows[value] = rows.get(value, 0) + count
    _refuse(header, reading.type, rows, place)
    positive = _positive(rows)
    means_yes = np.zeros(len(column.values), dtype=bool)
    means_yes[reading.readable] = [value == positive for value in read]
    flags = column.rows_where(means_yes)
    known = column.rows_where(reading.readable)
    profile = LabelProfile(
        header=header,
        type=reading.type,
        positive=positive,
        positive_rows=int(flags.sum()),
        known_rows=int(known.sum()),
        unknown_rows=int(column.rows_where(reading.nothing).sum()),
        unreadable=int(column.rows_where(~(reading.nothing | reading.readable)).sum()),
        classes=tuple(sorted(rows.items(), key=lambda item: -item[1])),
    )
    return profile, flags


def _refuse(header: str, kind: ColumnType, rows: dict[Scalar, int], place: str) -> None:
    where, other = f"{place}, column {header}", "choose another column: --label COLUMN"
    if len(rows) < 2:
        found = f"{next(iter(rows))!r} in each row that says something" if rows else "no value at all"
        raise MillraceError(
            "The label never differs", place=where, found=found, expected="at least two different values", fix=other
        )
    if kind in {"timestamp", "number"} or len(rows) > MOST_CLASSES:
        found = f"{len(rows):,} different values of type {kind}"
        raise MillraceError(
            "The label is no yes or no", place=where, found=found, expected="a few values, one of which means yes",
            fix=f"{other}, or let the sender add a column that says yes or no, such as whether a limit is passed",
        )  # fmt: skip


def _positive(rows: dict[Scalar, int]) -> Scalar:
    """The value that most likely means yes: a word for it, otherwise the rarest."""
    if True in rows and isinstance(next(iter(rows)), bool):
        return True
    for word in _YES:
        for value in rows:
            if str(value).lower() == word and (len(rows) == 2 or not word.isdigit()):
                return value
    return min(rows, key=lambda value: (rows[value], str(value)))
