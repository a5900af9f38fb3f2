"""Gold of a problem whose rows tell of other rows, from the bytes of a file and the slow oracle, without a stack."""

import csv
import io
from typing import Any

import pyarrow as pa

from millrace.contract.problem import Problem
from millrace.domain.times import as_timestamp
from tests import slow_oracle
from tests.steps.labelled_gold import gold_of

READERS = {"string": str, "integer": lambda text: int(float(text)), "number": float, "timestamp": as_timestamp}


def events_of(problem: Problem, content: bytes) -> list[dict[str, Any]]:
    """The rows of a file as silver types them; none of them may break the contract."""
    source = problem.source
    lines = csv.DictReader(io.StringIO(content.decode(source.encoding), newline=""), delimiter=source.delimiter)
    found = []
    for line in lines:
        event = {
            name: None if line[name] in (*source.null_values, *column.null_values) else READERS[column.type](line[name])
            for name, column in source.columns.items()
        }
        found.append({**event, "event_timestamp": event[str(source.event_timestamp)]})
    return found


def told_gold(problem: Problem, events: list[dict[str, Any]]) -> pa.Table:
    """Gold of these events."""
    rows = slow_oracle.told(problem, events)
    gold = gold_of(problem, rows, [row["label"] for row in rows])
    times = pa.array([row["event_timestamp"] for row in rows], pa.timestamp("us", "UTC"))
    return gold.set_column(gold.column_names.index("event_timestamp"), "event_timestamp", times)
