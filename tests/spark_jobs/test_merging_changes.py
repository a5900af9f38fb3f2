"""Files and changes of one source, in whatever order they are read, merge into the same silver."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession

from millrace.contract.source_epoch import SourceEpoch
from millrace.domain.following import ChangePosition, Following, start_of
from spark_jobs.transforms.merging import (
    Layout,
    layout,
    merge_states,
    rows_of_states,
    states_of_rows,
    states_of_versions,
    too_little_known,
)
from tests.spark_jobs.test_merging import SCHEMA, source

pytestmark = pytest.mark.stack

SINCE = 5
"""The second from which the table is followed: files that land later say nothing of a row with changes."""
EPOCHS = [str(SourceEpoch(since, 1, 1)) for since in (SINCE, SINCE + 3)]
FOLLOWING = Following(EPOCHS[0], None)


@dataclass(frozen=True)
class Version:
    """What a line of a file, or a change, said about a key; times are in seconds."""

    key: str
    change: str | None
    """None: it is of a file, and `place` is when it landed."""
    epoch: str
    place: int
    line: int
    committed: int
    happened: int
    broken: bool
    frozen: int | None
    corrected: int | None
    label: int | None

    @property
    def position(self) -> tuple[int, str, int, str, int]:
        if self.change is None:
            return (0, "", self.place * 1_000_000, f"{self.place}.csv", self.line)
        return (1, self.epoch, self.place, "topic-0", self.line)

    @property
    def known(self) -> int:
        return self.place if self.change is None else self.committed


small, few = st.none() | st.integers(0, 3), st.integers(0, 9)
values = {"happened": few, "frozen": small, "corrected": small, "label": small}
of_files = st.builds(
    Version,
    key=st.sampled_from("ab"),
    change=st.none(),
    epoch=st.just(""),
    place=few,
    line=st.integers(1, 2),
    committed=st.just(0),
    broken=st.just(False),
    **values,
)
of_changes = st.builds(
    Version,
    key=st.sampled_from("ab"),
    change=st.sampled_from("rcuudd"),
    epoch=st.sampled_from(EPOCHS),
    place=few,
    line=st.integers(0, 30),
    committed=few,
    broken=st.booleans(),
    **values,
)
versions = st.lists(of_files | of_changes | of_changes, min_size=1, max_size=9, unique_by=lambda v: v.position)


@st.composite
def scenarios(draw: st.DrawFn) -> list[list[Version]]:
    """Versions, cut into three batches in any order, some of them coming twice."""
    found = draw(versions)
    again = draw(st.lists(st.sampled_from(found), max_size=3))
    shuffled = draw(st.permutations([*found, *again]))
    first, second = sorted(draw(st.tuples(st.integers(0, len(shuffled)), st.integers(0, len(shuffled)))))
    return [list(shuffled[:first]), list(shuffled[first:second]), list(shuffled[second:])]


def one(key: str, change: str | None, epoch: str, place: int, frozen: int, label: int | None = None) -> Version:
    return Version(key, change, epoch, place, place, place, 0, False, frozen, frozen, label)


OUT_OF_ORDER = [
    [one("a", "r", EPOCHS[0], 1, frozen=1), one("a", "u", EPOCHS[0], 9, frozen=3), one("b", None, "", 1, 1, label=0)],
    [one("a", "d", EPOCHS[0], 5, frozen=2), one("b", None, "", SINCE, 2, label=1)],
    [one("b", "u", EPOCHS[0], 1, frozen=3)],
]
"""A delete that comes after what was said later; and a late file's label, before the first change."""


# Many scenarios a Spark job, told apart by their keys: a job costs a second, a row nothing.
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(scenarios(), min_size=1, max_size=60))
@example([OUT_OF_ORDER])
def test_batches_and_their_order_change_nothing(spark: SparkSession, many: list[list[list[Version]]]) -> None:
    batches = [[(f"{n}", v) for n, batches in enumerate(many) for v in batches[b]] for b in range(3)]
    merged = silver_after(spark, batches, FOLLOWING)
    wanted = {
        f"{n}{key}": row
        for n, batches in enumerate(many)
        for key in "ab"
        if (row := told(v for batch in batches for v in batch if v.key == key)) is not None
    }
    assert merged == wanted


def told(found: Iterable[Version]) -> tuple[Any, ...] | None:
    """The rule, in plain Python; None: nothing was said of the key."""
    every = sorted(set(found), key=lambda v: v.position)
    turns = [v for v in every if v.change in ("c", "d")]
    valid = [v for v in every if not v.broken and v.change != "d"]
    if not turns and not valid:
        return None
    if turns or any(v.change for v in valid):
        valid = [v for v in valid if v.change or v.place < SINCE]
    if turns:
        valid = [v for v in valid if v.position >= turns[-1].position]
    if not valid:
        return (None, None, None, None, True)
    timely = [v for v in valid if v.known >= v.happened]
    first, last = (timely or valid)[0], valid[-1]
    label = next((v.label for v in reversed(valid) if v.label is not None), None)
    return (first.happened, first.frozen, last.corrected, label, False)


def silver_after(
    spark: SparkSession, batches: Sequence[Sequence[tuple[str, Version]]], following: Following
) -> dict[str, tuple[Any, ...]]:
    """Batch after batch; keys of which too little is known are built of all their versions, as a rebuild does."""
    of = layout(source("keyed"), "label", following)
    rows: DataFrame | None = None
    seen: list[tuple[str, Version]] = []
    for batch in batches:
        seen += batch
        states = states_of_versions(frame(spark, batch), of)
        if rows is not None:
            rows = rows.localCheckpoint()
            forgotten = {row["row_key"] for row in too_little_known(rows, states, of).collect()}
            rows = rows.where(~rows["row_key"].isin(*forgotten)) if forgotten else rows
            again = [(n, v) for n, v in seen if f"{n}{v.key}" in forgotten]
            states = states.unionByName(states_of_rows(rows, of))
            states = states.unionByName(states_of_versions(frame(spark, again), of))
        rows = rows_of_states(merge_states(states, of), of)
    assert rows is not None
    return shown(rows)


def frame(spark: SparkSession, versions: Iterable[tuple[str, Version]]) -> DataFrame:
    return spark.createDataFrame([as_row(n, v) for n, v in versions], SCHEMA)


def as_row(scenario: str, v: Version) -> Row:
    rank, epoch, major, path, minor = v.position
    return Row(
        row_key=f"{scenario}{v.key}",
        event_timestamp=datetime.fromtimestamp(v.happened, UTC),
        known_at=datetime.fromtimestamp(v.known, UTC),
        path=path,
        change=v.change,
        reasons=["range:frozen"] if v.broken and v.change != "d" else [],
        position=Row(input_rank=rank, epoch=epoch, major=major, path=path, minor=minor),
        typed=Row(frozen=v.frozen, corrected=v.corrected, label=v.label),
    )


def shown(rows: DataFrame) -> dict[str, tuple[Any, ...]]:
    columns = ("unix_seconds(event_timestamp)", "frozen", "corrected", "label", "deleted")
    return {row[0]: tuple(row)[1:] for row in rows.selectExpr("row_key", *columns).collect()}


def merged(spark: SparkSession, following: Following, *found: Version) -> dict[str, tuple[Any, ...]]:
    of: Layout = layout(source("keyed"), "label", following)
    return shown(rows_of_states(merge_states(states_of_versions(frame(spark, [("", v) for v in found]), of), of), of))


def test_what_a_later_epochs_snapshot_lacks_is_no_more_and_what_it_holds_is_the_same_row(spark: SparkSession) -> None:
    old, new = EPOCHS
    found = merged(
        spark,
        Following(old, start_of(new)),
        one("kept", "c", old, 1, frozen=1),
        one("kept", "r", new, 1, frozen=2, label=1),
        one("gone", "c", old, 1, frozen=1),
        one("again", "c", old, 1, frozen=1, label=0),
        one("again", "c", new, 7, frozen=2),
        one("of a file", None, "", 1, frozen=1),
    )
    assert found["kept"] == (0, 1, 2, 1, False), "what froze stays frozen"
    assert found["gone"][-1], "no change tells that a row is not in a backup"
    assert found["again"] == (0, 2, 2, None, False), "an insert begins another row"
    assert found["of a file"] == (0, 1, 1, None, False), "the table never held it"


def test_a_truncate_ends_what_was_before_it(spark: SparkSession) -> None:
    epoch = EPOCHS[0]
    found = merged(
        spark,
        Following(epoch, ChangePosition(epoch, 4, "topic-0", 4)),
        one("before", "c", epoch, 3, frozen=1),
        one("after", "c", epoch, 5, frozen=1),
    )
    assert {key: row[-1] for key, row in found.items()} == {"before": True, "after": False}
