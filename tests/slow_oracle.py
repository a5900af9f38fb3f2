"""What aggregations and event labels mean, one row at a time. Slow, and plainly right."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from millrace.contract.aggregations import Aggregation, EventLabel, Where
from millrace.contract.problem import Problem

Event = Mapping[str, Any]
"""A row of silver: the columns of the source, and `event_timestamp`."""


def told(problem: Problem, events: Sequence[Event]) -> list[dict[str, Any]]:
    """The rows of gold, each with its aggregations and `label`, in the order of the events."""
    rows = [event for event in events if is_kind(problem.rows, event)]
    columns: dict[str, list[Any]] = {one.name: aggregated(one, rows, events) for one in problem.aggregations}
    if isinstance(problem.label, EventLabel):
        columns["label"] = labelled(problem.label, rows, events)
    return [{**row, **{name: values[n] for name, values in columns.items()}} for n, row in enumerate(rows)]


def aggregated(one: Aggregation, rows: Sequence[Event], events: Sequence[Event]) -> list[Any]:
    by_key = sharing(one.key, [event for event in events if is_kind(one.where, event)])
    return [
        None if None in key else _value(one, row, by_key.get(key, [])) for row in rows for key in [of(one.key, row)]
    ]


def labelled(label: EventLabel, rows: Sequence[Event], events: Sequence[Event]) -> list[int | None]:
    by_key = sharing(label.same, [event for event in events if is_kind(label.event, event)])
    newest = max((event["event_timestamp"] for event in events), default=None)
    within = timedelta(seconds=label.within_seconds)
    found: list[int | None] = []
    for row in rows:
        at, key = row["event_timestamp"], of(label.same, row)
        later = [event for event in by_key.get(key, []) if at < event["event_timestamp"] <= at + within]
        found.append(int(bool(later)) if None not in key and newest is not None and newest > at + within else None)
    return found


def sharing(key: Sequence[str], events: Sequence[Event]) -> dict[tuple[Any, ...], list[Event]]:
    found: dict[tuple[Any, ...], list[Event]] = {}
    for event in events:
        found.setdefault(of(key, event), []).append(event)
    return found


def of(key: Sequence[str], event: Event) -> tuple[Any, ...]:
    return tuple(event[name] for name in key)


def is_kind(where: Where | None, event: Event) -> bool:
    return where is None or event[where.column] in where.any_of


def _value(one: Aggregation, row: Event, events: Sequence[Event]) -> Any:
    at: datetime = row["event_timestamp"]
    seen = [event for event in events if event["event_timestamp"] < at]
    if one.window_seconds is not None:
        seen = [event for event in seen if event["event_timestamp"] >= at - timedelta(seconds=one.window_seconds)]
    values = [event[one.column] for event in seen if event[one.column] is not None] if one.column else []
    match one.function:
        case "count":
            return len(seen)
        case "distinct":
            return len(set(values))
        case "sum":
            return float(sum(Decimal(str(value)) for value in values))
        case "mean":
            return float(sum(Decimal(str(value)) for value in values)) / len(values) if values else None
        case "seconds_since_last":
            return (at - max(event["event_timestamp"] for event in seen)).total_seconds() if seen else None
