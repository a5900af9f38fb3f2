"""What aggregations tell of the events so far, while a world of events is played. Times are whole seconds."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from millrace.contract.aggregations import Aggregation

Event = Mapping[str, Any]


class EarlierEvents:
    """The events that one aggregation counts, by key, in the order of their times."""

    def __init__(self, aggregation: Aggregation) -> None:
        self._of = aggregation
        self._times: dict[tuple[Any, ...], list[int]] = {}
        self._values: dict[tuple[Any, ...], list[Any]] = {}

    def happened(self, event: Event, at: int) -> None:
        """Take in an event; never one before the last."""
        one = self._of
        counts = one.where is None or event[one.where.column] in one.where.any_of
        if counts and (one.column is None or event[one.column] is not None):
            key = tuple(event[name] for name in one.key)
            self._times.setdefault(key, []).append(at)
            self._values.setdefault(key, []).append(event[one.column] if one.column else None)

    def told(self, row: Event, at: int) -> float:
        """The aggregation of a row; NaN for null."""
        one = self._of
        key = tuple(row[name] for name in one.key)
        if None in key:
            return float("nan")
        times = self._times.get(key, [])
        first = 0 if one.window_seconds is None else bisect_left(times, at - one.window_seconds)
        last = bisect_left(times, at)
        if one.function == "count":
            return float(last - first)
        if one.function == "seconds_since_last":
            return float(at - times[last - 1]) if last > first else float("nan")
        values = self._values.get(key, [])[first:last]
        return _summary(one.function, values)


def _summary(function: str, values: Sequence[Any]) -> float:
    if function == "distinct":
        return float(len(set(values)))
    if function == "mean" and not values:
        return float("nan")
    total = float(sum(values))
    return total / len(values) if function == "mean" else total
