"""Features across rows, the rows that are predicted for, and labels that later events tell.

Everything here looks back from a row's own time, or, for a label, forward from it; nothing can name a whole session or
the row itself. `spark_jobs.transforms.aggregation` computes it; docs/aggregations.md shows it in small tables.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from millrace.contract.model import Model
from millrace.contract.source import Column, ColumnName, ColumnType, Identifier, Scalar, Source

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MOST_DAYS = 3_660
LARGEST_SUMMAND = 1e12
"""A column that is added up stays within ± this, so that running sums in decimals of 38 digits are exact."""


def _length(said: object) -> object:
    if (
        not isinstance(said, str)
        or not re.fullmatch(r"[1-9][0-9]{0,8}[smhd]", said)
        or _seconds(said) > MOST_DAYS * 86_400
    ):
        raise ValueError(
            f"a length of time such as 30m or 7d, at most {MOST_DAYS}d, counted from the row's own time. A window over"
            " a whole session, or over the row itself and later ones, cannot be said: it would hold the very event"
            " that is to be predicted"
        )
    return said


def _seconds(length: str) -> int:
    return int(length[:-1]) * UNIT_SECONDS[length[-1]]


Length = Annotated[str, BeforeValidator(_length)]
"""A whole number and s, m, h or d."""


class Where(Model):
    """Events of a kind: those whose column has one of these values."""

    column: ColumnName
    """A column of the source."""
    any_of: tuple[Scalar, ...] = Field(min_length=1)
    """The values that count, of the column's type."""


class Aggregation(Model):
    """What the earlier events tell that share the row's key; null where a column of the key is. Events of the row's own
    time, or later, never count.
    """

    name: Identifier
    """The column of gold, and of the request, that holds it."""
    key: tuple[ColumnName, ...] = Field(min_length=1)
    """What the events share with the row, such as [user_id]."""
    function: Literal["count", "sum", "mean", "distinct", "seconds_since_last"]
    """count: events. sum, mean: of a number (mean is null where nothing counts). distinct: different values of a
    column. seconds_since_last: from the last such event to the row; null where there is none."""
    column: ColumnName | None = None
    """What is added up, averaged or told apart (sum, mean, distinct). Events without a value do not count."""
    where: Where | None = None
    """Which events count; default: all of the source."""
    window: Length | None = None
    """How far back events count, such as 30m or 7d, the far end included; default: for ever."""

    @model_validator(mode="after")
    def _column_fits_function(self) -> Self:
        if (self.column is not None) != (self.function in ("sum", "mean", "distinct")):
            raise ValueError(f"column belongs to sum, mean and distinct, and only to them, not to {self.function}")
        if len(set(self.key)) != len(self.key):
            raise ValueError("key names a column twice")
        return self

    @property
    def window_seconds(self) -> int | None:
        return None if self.window is None else _seconds(self.window)

    def as_column(self, source: Source) -> Column:
        """The column that it is in gold and in a request."""
        kind: ColumnType = "integer" if self.function in ("count", "distinct") else "number"
        lacking = self.function in ("mean", "seconds_since_last") or any(source.columns[n].nullable for n in self.key)
        # Sums and means of what is never negative are never negative either.
        smallest = source.columns[self.column].min if self.function in ("sum", "mean") and self.column else 0.0
        low = 0.0 if smallest is not None and smallest >= 0 else None
        unit = "s" if self.function == "seconds_since_last" else ""
        return Column(type=kind, nullable=lacking, min=low, unit=unit, description=self.in_words())

    def in_words(self) -> str:
        """What it tells, for people."""
        what = self.function.replace("_", " ") + (f" of {self.column}" if self.column else "")
        which = f", events with {self.where.column} {' or '.join(map(str, self.where.any_of))}" if self.where else ""
        span = f" in the last {self.window}" if self.window else ""
        return f"{what}{span} of the same {' and '.join(self.key)}{which}, before the row's time"


class EventLabel(Model):
    """What is to be predicted: whether a later event comes. Null until the window is over, whatever has come so far."""

    event: Where
    """The events that mean "yes"."""
    same: tuple[ColumnName, ...] = Field(min_length=1)
    """What the event shares with the row, such as [user_session, product_id]."""
    within: Length
    """How long after the row's own time it may come, the far end included; an event of the same time is not after."""

    def in_words(self) -> str:
        """When the answer is yes, for people."""
        kind = f"`{self.event.column}` {' or '.join(f'`{value}`' for value in self.event.any_of)}"
        return f"an event with {kind} of the same {' and '.join(self.same)} follows within {self.within}"

    @property
    def within_seconds(self) -> int:
        return _seconds(self.within)


def check_where(place: str, where: Where, source: Source) -> None:
    """Raises ValueError if a condition names no such column, or a value that the column never has."""
    column = _usable(f"{place}.column", where.column, source)
    kinds: dict[ColumnType, tuple[type[Scalar], ...]] = {"integer": (int,), "boolean": (bool,), "string": (str,)}
    for value in where.any_of:
        if type(value) not in kinds.get(column.type, ()):
            raise ValueError(
                f"{place}.any_of {value!r} can never equal {where.column}, which is a {column.type}"
                " (quote words like Yes and No; a number or timestamp is no kind of event)"
            )
        if column.allowed is not None and value not in column.allowed:
            raise ValueError(f"{place}.any_of {value!r} is not among the allowed values of {where.column}")


def check_aggregations(aggregations: tuple[Aggregation, ...], source: Source) -> None:
    """Raises ValueError if an aggregation cannot be computed for this source, or would show what is sensitive."""
    if aggregations:
        _check_events("aggregations", source)
    taken = {name.lower() for name in source.columns}
    for position, one in enumerate(aggregations):
        place = f"aggregations.{position}"
        if one.name in taken or one.name in ("label", "event_timestamp"):
            raise ValueError(f"{place}.name {one.name} is taken")
        taken.add(one.name)
        for name in one.key:
            _there(f"{place}.key", name, source)
        if one.where is not None:
            check_where(f"{place}.where", one.where, source)
        if one.column is not None:
            _check_summand(place, one, _usable(f"{place}.column", one.column, source))


def check_event_label(label: EventLabel, source: Source) -> None:
    """Raises ValueError if the label cannot be told from this source's events."""
    _check_events("label.event", source)
    check_where("label.event", label.event, source)
    for name in label.same:
        _there("label.same", name, source)


def columns_read(aggregations: tuple[Aggregation, ...], label: object, rows: Where | None) -> set[str]:
    """The columns of the source that aggregations, an event label and the choice of rows look at."""
    read = {name for one in aggregations for name in _read_by(one)}
    if isinstance(label, EventLabel):
        read |= {label.event.column, *label.same}
    return read | ({rows.column} if rows else set())


def _read_by(one: Aggregation) -> Iterator[str]:
    yield from one.key
    if one.column is not None:
        yield one.column
    if one.where is not None:
        yield one.where.column


def _check_summand(place: str, one: Aggregation, column: Column) -> None:
    if one.function == "distinct":
        if column.type in ("number", "timestamp"):
            raise ValueError(
                f"{place}.column {one.column} is a {column.type}; distinct tells strings and integers apart"
            )
        return
    if column.type not in ("integer", "number"):
        raise ValueError(f"{place}.column {one.column} is a {column.type}; {one.function} needs a number")
    if column.min is None or column.max is None or max(-column.min, column.max) > LARGEST_SUMMAND:
        raise ValueError(
            f"{place}.column {one.column} needs min and max, at most {LARGEST_SUMMAND:g}: running sums are exact only"
            " for values within known bounds"
        )


def _check_events(place: str, source: Source) -> None:
    if source.mode != "append":
        raise ValueError(f"{place} needs events: say `mode: append` of the source, whose rows then never change")
    if source.event_timestamp is None or source.assigned_time is not None:
        raise ValueError(f"{place} needs an event_timestamp that every event brings: before and after are told by it")


def _there(place: str, name: str, source: Source) -> Column:
    if name not in source.columns:
        raise ValueError(f"{place} names {name}, which is not a column of the source")
    return source.columns[name]


def _usable(place: str, name: str, source: Source) -> Column:
    column = _there(place, name, source)
    if column.sensitive:
        raise ValueError(f"{place} names {name}, which is sensitive and so never reaches gold or a model")
    return column
