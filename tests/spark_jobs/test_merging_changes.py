"""Files and changes of one source, in whatever order they are read, merge into the same silver."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession

from millrace.contract.source_epoch import SourceEpoch
from millrace.domain.following import ChangePosition, EpochSeen, Following, together
from spark_jobs.transforms.merging import (
    Layout,
    forgotten,
    layout,
    merge_states,
    outlived,
    rows_of_states,
    states_of_rows,
    states_of_versions,
)
from tests.spark_jobs.test_merging import SCHEMA, source

pytestmark = pytest.mark.stack

SINCE = 5
"""The second from which the table is followed: files that land later say nothing of a row with changes."""
EPOCHS = [str(SourceEpoch(since, 1, 1)) for since in (SINCE, SINCE + 3)]
SNAPSHOT = 4
"""Position in the log of each epoch's snapshot, so that the first half of its changes comes of one that was left."""


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


@dataclass(frozen=True)
class Scenario:
    """Versions in three batches, and with which of them a snapshot is known to be complete, or a TRUNCATE comes."""

    batches: list[list[Version]]
    complete: tuple[int, int]
    """Of each epoch: the batch; 3: with none."""
    truncated: int
    truncate_at: int

    def following(self, batch: int) -> Following | None:
        """What this batch tells."""
        epochs = {EPOCHS[0]: EpochSeen(None, None, streams=False)}
        epochs |= {
            epoch: EpochSeen(SNAPSHOT, None, streams=True)
            for epoch, known in zip(EPOCHS, self.complete, strict=True)
            if known == batch
        }
        truncate = ChangePosition(EPOCHS[0], self.truncate_at, "topic-0", 15)
        return Following(epochs, truncate if self.truncated == batch else None)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Versions, cut into three batches in any order, some of them coming twice."""
    found = draw(versions)
    again = draw(st.lists(st.sampled_from(found), max_size=3))
    shuffled = draw(st.permutations([*found, *again]))
    first, second = sorted(draw(st.tuples(st.integers(0, len(shuffled)), st.integers(0, len(shuffled)))))
    batches = [list(shuffled[:first]), list(shuffled[first:second]), list(shuffled[second:])]
    when = st.integers(0, 3)
    return Scenario(batches, draw(st.tuples(when, when)), draw(when), draw(few))


def one(key: str, change: str | None, epoch: str, place: int, frozen: int, label: int | None = None) -> Version:
    return Version(key, change, epoch, place, place, place, 0, False, frozen, frozen, label)


OUT_OF_ORDER = [
    [one("a", "r", EPOCHS[0], 1, frozen=1), one("a", "u", EPOCHS[0], 9, frozen=3), one("b", None, "", 1, 1, label=0)],
    [one("a", "d", EPOCHS[0], 5, frozen=2), one("b", None, "", SINCE, 2, label=1)],
    [one("b", "u", EPOCHS[0], 1, frozen=3)],
]
"""A delete that comes after what was said later; and a late file's label, before the first change."""
COMES_AGAIN = [
    [one("a", "r", EPOCHS[0], 5, frozen=1), one("b", "r", EPOCHS[0], 5, frozen=1)],
    [replace(one("b", "r", EPOCHS[1], 5, frozen=2), broken=True)],
    [one("a", "r", EPOCHS[1], 5, frozen=2)],
]
"""Of a later epoch's snapshot one row comes after it was said to be complete, and one is broken."""
FIRST_CHANGE_BROKEN = [
    [one("a", None, "", 1, frozen=1)],
    [one("a", None, "", SINCE, frozen=2)],
    [replace(one("a", "u", EPOCHS[0], 1, frozen=3), broken=True)],
]
"""A late file was the last that told of the row, until a change comes whose values are broken."""


# Many scenarios a Spark job, told apart by their keys: a job costs a second, a row nothing.
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(scenarios().map(lambda told: replace(told, batches=[[]] * 3)), st.lists(scenarios(), min_size=1, max_size=60))
@example(Scenario([[]] * 3, (3, 3), 3, 0), [Scenario(OUT_OF_ORDER, (3, 3), 3, 0)])
@example(Scenario([[]] * 3, (0, 1), 3, 0), [Scenario(COMES_AGAIN, (3, 3), 3, 0)])
@example(Scenario([[]] * 3, (3, 3), 3, 0), [Scenario(FIRST_CHANGE_BROKEN, (3, 3), 3, 0)])
@example(Scenario([[]] * 3, (3, 3), 2, 5), [Scenario(OUT_OF_ORDER, (3, 3), 3, 0)])
def test_batches_and_their_order_change_nothing(spark: SparkSession, world: Scenario, many: list[Scenario]) -> None:
    batches = [[(f"{n}", v) for n, told in enumerate(many) for v in told.batches[b]] for b in range(3)]
    merged = silver_after(spark, batches, [world.following(b) for b in range(3)])
    following = together(world.following(b) for b in range(3))
    wanted = {
        f"{n}{key}": row
        for n, scenario in enumerate(many)
        for key in "ab"
        if (row := told((v for batch in scenario.batches for v in batch if v.key == key), following)) is not None
    }
    assert merged == wanted


def told(found: Iterable[Version], following: Following | None) -> tuple[Any, ...] | None:
    """The rule, in plain Python; None: nothing was said of the key that silver keeps."""
    assert following is not None
    every = sorted(set(found), key=lambda v: v.position)
    changes = [v for v in every if v.change]
    valid = [v for v in every if not v.broken and v.change != "d"]
    if not changes and not valid:
        return None
    begins = [v.position for v in changes if v.change in ("c", "d")]
    if changes:
        begins += [(1, *following.truncated)] if following.truncated else []
        valid = [v for v in valid if v.change or v.place < SINCE]
    valid = [v for v in valid if v.position >= max(begins, default=v.position)]
    ended = following.ended
    if not valid or (changes and ended and changes[-1].position < (1, *ended)):
        return (None, None, None, None, True)
    timely = [v for v in valid if v.known >= v.happened]
    first, last = (timely or valid)[0], valid[-1]
    label = next((v.label for v in reversed(valid) if v.label is not None), None)
    return (first.happened, first.frozen, last.corrected, label, False)


def silver_after(
    spark: SparkSession, batches: Sequence[Sequence[tuple[str, Version]]], told_by: Sequence[Following | None]
) -> dict[str, tuple[Any, ...]]:
    """Batch after batch, as `write_silver` takes them in."""
    rows: DataFrame | None = None
    for number, batch in enumerate(batches):
        of = layout(source("keyed"), "label", together(told_by[: number + 1]))
        states = states_of_versions(frame(spark, batch), of)
        if rows is not None:
            rows = rows.localCheckpoint()
            keys = forgotten(rows, states, of).localCheckpoint()
            every = frame(spark, [version for earlier in batches[: number + 1] for version in earlier])
            again = states_of_versions(every.join(keys, "row_key", "left_semi"), of)
            kept = rows.join(keys, "row_key", "left_anti")
            # A row that no batch touches is only looked at when it outlived its table.
            touched = states.select("row_key").unionByName(outlived(of, rows).select("row_key"))
            untouched = kept.join(touched, "row_key", "left_anti")
            kept = kept.join(touched, "row_key", "left_semi")
            states = states.unionByName(states_of_rows(kept, of)).unionByName(again)
            rows = rows_of_states(merge_states(states, of), of).unionByName(untouched)
        else:
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
    seen = EpochSeen(snapshot=SNAPSHOT, last=None, streams=True)
    found = merged(
        spark,
        Following({old: seen, new: seen}),
        one("kept", "c", old, 7, frozen=1),
        one("kept", "r", new, 4, frozen=2, label=1),
        one("gone", "c", old, 7, frozen=1),
        one("again", "c", old, 7, frozen=1, label=0),
        one("again", "c", new, 7, frozen=2),
        one("broken", "c", old, 7, frozen=1),
        replace(one("broken", "r", new, 4, frozen=2), broken=True),
        one("of a file", None, "", 1, frozen=1),
    )
    assert found["kept"] == (0, 1, 2, 1, False), "what froze stays frozen"
    assert found["gone"] == (None, None, None, None, True), "no change tells that a row is not in a backup"
    assert found["again"] == (0, 2, 2, None, False), "an insert begins another row"
    assert found["broken"] == (0, 1, 1, None, False), "it is in the table, and its last valid version is known"
    assert found["of a file"] == (0, 1, 1, None, False), "the table never held it"


def test_what_an_unfinished_snapshot_read_and_the_next_did_not_is_no_more(spark: SparkSession) -> None:
    epoch = EPOCHS[0]
    found = merged(
        spark,
        Following({epoch: EpochSeen(snapshot=SNAPSHOT, last=SNAPSHOT, streams=False)}),
        one("deleted meanwhile", "r", epoch, 2, frozen=1),
        one("read twice", "r", epoch, 2, frozen=1),
        one("read twice", "r", epoch, 4, frozen=1),
    )
    assert {key: row[-1] for key, row in found.items()} == {"deleted meanwhile": True, "read twice": False}


def test_a_truncate_ends_what_was_before_it(spark: SparkSession) -> None:
    epoch = EPOCHS[0]
    found = merged(
        spark,
        Following({epoch: EpochSeen(None, None, streams=True)}, ChangePosition(epoch, 4, "topic-0", 4)),
        one("before", "c", epoch, 3, frozen=1),
        one("after", "c", epoch, 5, frozen=1),
        one("read again", "c", epoch, 3, frozen=1, label=1),
        one("read again", "r", epoch, 6, frozen=2),
    )
    assert found["before"] == (None, None, None, None, True)
    assert found["after"] == (0, 1, 1, None, False)
    assert found["read again"] == (0, 2, 2, None, False), "nothing of the row that was emptied out"
