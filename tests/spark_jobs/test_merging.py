"""However versions of a row come (in whatever order, again, in whatever batches), silver ends up the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession

from millrace.contract.source import Source
from spark_jobs.transforms.merging import (
    Layout,
    layout,
    merge_states,
    rows_of_states,
    states_of_rows,
    states_of_versions,
)

pytestmark = pytest.mark.stack

SCHEMA = (
    "row_key string, event_timestamp timestamp, known_at timestamp, path string, change string, reasons array<string>, "
    "position struct<input_rank: int, epoch: string, major: bigint, path: string, minor: bigint>, "
    "typed struct<frozen: bigint, corrected: bigint, label: bigint>"
)
COLUMNS: dict[str, Any] = {
    "frozen": {"type": "integer", "nullable": True},
    "corrected": {"type": "integer", "nullable": True, "update": "correct"},
    "label": {"type": "integer", "nullable": True},
}


@dataclass(frozen=True)
class Version:
    """What one line of one file said about a key; times are in seconds."""

    key: str
    landed: int
    line: int
    happened: int
    frozen: int | None
    corrected: int | None
    label: int | None

    @property
    def order(self) -> tuple[int, str, int]:
        return (self.landed, f"{self.landed}.csv", self.line)


small, few = st.none() | st.integers(0, 3), st.integers(0, 5)
versions = st.lists(
    st.builds(Version, st.sampled_from("ab"), few, st.integers(1, 3), few, small, small, small),
    min_size=1,
    max_size=7,
    unique_by=lambda v: (v.key, v.order),
)


@st.composite
def scenarios(draw: st.DrawFn) -> list[list[Version]]:
    """Versions, cut into three batches in any order, some of them coming twice."""
    found = draw(versions)
    again = draw(st.lists(st.sampled_from(found), max_size=3))
    shuffled = draw(st.permutations([*found, *again]))
    first, second = sorted(draw(st.tuples(st.integers(0, len(shuffled)), st.integers(0, len(shuffled)))))
    return [list(shuffled[:first]), list(shuffled[first:second]), list(shuffled[second:])]


# Many scenarios a Spark job, told apart by their keys: a job costs a second, a row nothing.
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(scenarios(), min_size=1, max_size=40))
def test_batches_and_their_order_change_nothing(spark: SparkSession, many: list[list[list[Version]]]) -> None:
    batches = [[(n, v) for n, batches in enumerate(many) for v in batches[b]] for b in range(3)]
    merged = silver_after(spark, batches, layout(source("keyed"), "label"))
    assert merged == {
        f"{n}{key}": told(of_key) for n, batches in enumerate(many) for key, of_key in by_key(batches).items()
    }


def test_events_are_never_updated(spark: SparkSession) -> None:
    first = Version("a", 1, 1, 9, 1, 1, None)  # landed before its own time: an event stays all the same
    later = [Version("a", 2, 1, 1, 2, 2, 1), Version("a", 10, 1, 9, 3, 3, 1)]
    merged = silver_after(spark, [[(0, v)] for v in [*later, first]], layout(source("append"), "label"))
    assert merged == {"0a": (9, 1, 1, None, "1.csv")}


def silver_after(
    spark: SparkSession, batches: Sequence[Sequence[tuple[int, Version]]], of: Layout
) -> dict[str, tuple[Any, ...]]:
    rows: DataFrame | None = None
    for batch in batches:
        states = states_of_versions(spark.createDataFrame([as_row(n, v) for n, v in batch], SCHEMA), of)
        if rows is not None:
            states = states.unionByName(states_of_rows(rows, of))
        rows = rows_of_states(merge_states(states, of), of)
    assert rows is not None
    found = rows.selectExpr(
        "row_key", "unix_seconds(event_timestamp) AS happened", "frozen", "corrected", "label", "source_file"
    ).collect()
    return {row[0]: tuple(row)[1:] for row in found}


def told(found: Iterable[Version]) -> tuple[Any, ...]:
    """The rule, in plain Python."""
    ordered = sorted(found, key=lambda v: v.order)
    timely = [v for v in ordered if v.landed >= v.happened]
    first, last = (timely or ordered)[0], ordered[-1]
    label = next((v.label for v in reversed(ordered) if v.label is not None), None)
    return (first.happened, first.frozen, last.corrected, label, f"{first.landed}.csv")


def by_key(batches: Iterable[Iterable[Version]]) -> dict[str, set[Version]]:
    every = {version for batch in batches for version in batch}
    return {key: {v for v in every if v.key == key} for key in {v.key for v in every}}


def as_row(scenario: int, v: Version) -> Row:
    path = f"{v.landed}.csv"
    return Row(
        row_key=f"{scenario}{v.key}",
        event_timestamp=datetime.fromtimestamp(v.happened, UTC),
        known_at=datetime.fromtimestamp(v.landed, UTC),
        path=path,
        change=None,
        reasons=[],
        position=Row(input_rank=0, epoch="", major=v.landed * 1_000_000, path=path, minor=v.line),
        typed=Row(frozen=v.frozen, corrected=v.corrected, label=v.label),
    )


def source(mode: str) -> Source:
    return Source.model_validate(
        {"mode": mode, "assigned_key": "row_content", "assigned_time": "file_modified", "columns": COLUMNS}
    )
