"""The fence: who publishes, who loses, and what does not count as losing."""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pyarrow as pa
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, MapType, NestedField, StringType

from millrace.adapters import lake
from millrace.contract.errors import LostRaceError, MillraceError

pytestmark = pytest.mark.stack

SCHEMA = Schema(
    NestedField(1, "n", LongType()),
    NestedField(2, "told", MapType(3, StringType(), 4, StringType())),
)


@pytest.fixture
def table() -> Iterator[str]:
    name = f"tests.lake_{uuid.uuid4().hex[:10]}"
    lake.ensure_table(name, SCHEMA)
    yield name
    lake.drop_table(name)


def rows(*numbers: int) -> pa.Table:
    return pa.Table.from_pylist([{"n": n, "told": [("a", str(n)), ("b", "x")]} for n in numbers], SCHEMA.as_arrow())


def written(table: str, attempt: str, *numbers: int) -> lake.Branch:
    branch = lake.cut_branch(table, attempt)
    lake.append(branch, rows(*numbers), {"millrace.told": json.dumps(numbers)})
    return branch


def numbers(table: str) -> list[int]:
    return sorted(lake.read(table, columns=("n",))["n"].to_pylist())


def test_what_is_on_a_branch_reaches_no_reader_before_it_is_published(table: str) -> None:
    branch = written(table, "a", 1, 2)
    assert numbers(table) == []
    assert lake.read(table, ref=branch.name).num_rows == 2
    snapshot_id = lake.publish(branch)
    assert numbers(table) == [1, 2]
    head = lake.head(table)
    assert head is not None
    assert (head.snapshot_id, head.parent_id) == (snapshot_id, branch.base)
    assert head.properties["millrace.told"] == "[1, 2]"
    assert lake.head(table, branch.name) is None


def test_several_commits_of_a_branch_are_published_together(table: str) -> None:
    branch = written(table, "a", 1)
    lake.append(branch, rows(2), {})
    lake.publish(branch)
    assert numbers(table) == [1, 2]
    newest = lake.newest_with(table, "millrace.told")
    assert newest is not None
    assert newest.properties["millrace.told"] == "[1]"


def test_whoever_is_second_is_refused_and_leaves_nothing(table: str) -> None:
    zombie, retry = written(table, "zombie", 1), written(table, "retry", 1)
    lake.publish(retry)
    with pytest.raises(LostRaceError, match="published first"):
        lake.publish(zombie)
    assert numbers(table) == [1]
    assert lake.stray_branches(table, older_than_seconds=-10) == []


@pytest.mark.parametrize("turn", range(3))
def test_of_publishers_at_the_same_moment_exactly_one_wins(table: str, turn: int) -> None:
    branches = [written(table, f"attempt {number}", number) for number in range(4)]
    together = Barrier(len(branches))

    def publish(branch: lake.Branch) -> int | None:
        together.wait()
        try:
            return lake.publish(branch)
        except LostRaceError:
            return None

    with ThreadPoolExecutor(len(branches)) as pool:
        winners = [n for n, won in enumerate(pool.map(publish, branches)) if won is not None]
    assert len(winners) == 1
    assert numbers(table) == winners


def test_commits_to_other_refs_do_not_make_a_publisher_lose(table: str) -> None:
    base = lake.head(table)
    assert base is not None
    branch = written(table, "a", 1)
    together = Barrier(4)

    def disturb(number: int) -> None:
        together.wait()
        for turn in range(4):
            lake.create_tag(table, f"tag_{number}_{turn}", base.snapshot_id)
            lake.drop_branch(lake.cut_branch(table, f"other {number} {turn}"))

    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(disturb, number) for number in range(3)]
        together.wait()
        lake.publish(branch)
        for other in others:
            other.result()
    assert numbers(table) == [1]


def test_publishing_again_succeeds_and_changes_nothing(table: str) -> None:
    branch = written(table, "a", 1)
    first = lake.publish(branch)
    lake.publish(written(table, "b", 2))
    assert lake.publish(branch) == first
    assert numbers(table) == [1, 2]


def test_a_branch_without_a_commit_publishes_nothing(table: str) -> None:
    branch = lake.cut_branch(table, "idle")
    lake.publish(written(table, "a", 1))
    assert lake.publish(branch) == branch.base
    assert numbers(table) == [1]


def test_an_append_to_a_branch_that_was_dropped_is_refused(table: str) -> None:
    branch = written(table, "swept", 1)
    lake.drop_branch(branch)
    with pytest.raises(LostRaceError, match="published first"):
        lake.append(branch, rows(2), {})
    with pytest.raises(LostRaceError):
        lake.publish(branch)
    assert numbers(table) == []


def test_a_branch_made_anew_elsewhere_is_refused(table: str) -> None:
    """As Spark does with an append to a branch that is gone: it starts one at the current main."""
    branch = written(table, "swept", 1)
    lake.drop_branch(branch)
    lake.publish(written(table, "other", 5))
    loaded = lake.catalog().load_table(table)
    loaded.manage_snapshots().create_branch(loaded.metadata.current_snapshot_id, branch.name).commit()
    lake.append(branch, rows(2), {})
    with pytest.raises(LostRaceError):
        lake.publish(branch)
    assert numbers(table) == [5]


def test_a_table_without_a_snapshot_has_no_branch() -> None:
    name = f"tests.lake_{uuid.uuid4().hex[:10]}"
    lake.catalog().create_namespace_if_not_exists("tests")
    lake.catalog().create_table(name, SCHEMA)
    try:
        with pytest.raises(MillraceError, match="without a snapshot"):
            lake.cut_branch(name, "a")
    finally:
        lake.drop_table(name)


def test_makers_of_the_same_table_at_the_same_moment_all_have_it() -> None:
    namespace = f"tests_{uuid.uuid4().hex[:10]}"
    together = Barrier(4)

    def make(_: int) -> None:
        together.wait()
        lake.ensure_table(f"{namespace}.made", SCHEMA)

    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(make, range(4)))
        assert lake.count(f"{namespace}.made") == 0
    finally:
        lake.drop_table(f"{namespace}.made")
        lake.catalog().drop_namespace(namespace)


def test_only_branches_of_attempts_long_ago_are_swept(table: str) -> None:
    young = lake.cut_branch(table, "young")
    base = lake.head(table)
    assert base is not None
    for name in (f"attempt_{int(time.time()) - 7200}_old", "attempt_of_someone_else", "audit"):
        lake.catalog().load_table(table).manage_snapshots().create_branch(base.snapshot_id, name).commit()
    dropped = lake.sweep_branches([table, "tests.is_not_there"], older_than_seconds=3600)
    assert [name.split("_old")[0].split("@")[0] for name in dropped] == [table]
    assert {*lake.catalog().load_table(table).metadata.refs} == {"main", young.name, "attempt_of_someone_else", "audit"}


def test_a_tag_stays_where_it_is(table: str) -> None:
    first = lake.publish(written(table, "a", 1))
    second = lake.publish(written(table, "b", 2))
    lake.create_tag(table, "trained_x", first)
    lake.create_tag(table, "trained_x", first)
    assert numbers_at(table, "trained_x") == [1]
    with pytest.raises(MillraceError, match="tag is taken"):
        lake.create_tag(table, "trained_x", second)


def test_a_read_is_pinned_filtered_and_counted(table: str) -> None:
    first = lake.publish(written(table, "a", 1, 2))
    lake.publish(written(table, "b", 3))
    assert (lake.count(table), lake.count(table, first)) == (3, 2)
    assert lake.read(table, snapshot_id=first, where="n > 1", columns=("n",)).to_pylist() == [{"n": 2}]
    assert sum(batch.num_rows for batch in lake.read_batches(table)) == 3
    assert [head.snapshot_id for head in lake.history(table)][1] == first


def test_a_fingerprint_tells_content_not_order(table: str) -> None:
    other = f"{table}_other"
    lake.ensure_table(other, SCHEMA)
    try:
        lake.publish(written(table, "a", 1, 2))
        lake.publish(written(other, "a", 2))
        assert lake.fingerprint(table, ("n", "told")) != lake.fingerprint(other, ("n", "told"))
        lake.publish(written(other, "b", 1))
        assert lake.fingerprint(table, ("n", "told")) == lake.fingerprint(other, ("n", "told"))
    finally:
        lake.drop_table(other)


def test_what_is_not_there_is_none(table: str) -> None:
    assert lake.head("tests.is_not_there") is None
    assert lake.newest_with("tests.is_not_there", "x") is None
    assert list(lake.history("tests.is_not_there")) == []
    assert lake.head(table, "no_such_branch") is None
    assert not lake.table_exists("tests.is_not_there")


def numbers_at(table: str, ref: str) -> list[int]:
    return sorted(lake.read(table, ref=ref, columns=("n",))["n"].to_pylist())
