"""Maintenance makes a table small, and nobody who reads or writes it can tell that it ran."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake, object_store
from millrace.adapters.lake import upkeep
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.lake_tables import lake_tables
from millrace.steps.load_warehouse import load_warehouse
from millrace.steps.maintain_table import maintain_table
from millrace.steps.pending import pending_transform
from millrace.steps.recorded import GOLD_SEQ, RECEIPT
from millrace.steps.remove_old_reports import remove_old_reports
from millrace.steps.transform_data import transform_data
from millrace.steps.written import branch_of
from spark_jobs import maintain
from tests.backdating import put_long_ago
from tests.steps.transforming import gold, ingest, own_problem, quarantine, silver
from tests.tables import fingerprints

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def problem(spark: SparkSession) -> Iterator[Problem]:
    """As many small appends as are compacted: each a new key, a known one that changes, and a broken row.

    The tests share it: each leaves rows behind, and none needs another to have run.
    """
    with own_problem() as problem, pytest.MonkeyPatch.context() as patched:
        patched.setattr(maintain, "FEWEST_FILES", 2)
        for _ in range(maintain.FEWEST_FILES):
            take_in(spark, problem)
        load_warehouse(problem)
        yield problem


def take_in(spark: SparkSession, problem: Problem) -> dict[str, Any]:
    mark = uuid.uuid4().hex[:6]
    rows = (f"{mark},2026-01-01,1,new,1,1", f"k0,2026-01-01,0,note {mark},1,1", f"x{mark},never,1,x,1,1")
    ingest(problem, mark, *rows)
    return to_gold(spark, problem, mark) | {"mark": mark}


def to_silver(spark: SparkSession, problem: Problem, run: str) -> None:
    """Without the checks: they are not what these tests are about, and take most of the time."""
    lake.publish(branch_of(transform_data(spark, problem, attempt=run, run_id=run)))


def to_gold(spark: SparkSession, problem: Problem, run: str) -> dict[str, Any]:
    to_silver(spark, problem, run)
    return build_and_publish_gold(spark, problem, run)


def build_and_publish_gold(spark: SparkSession, problem: Problem, run: str) -> dict[str, Any]:
    built = build_gold_data(spark, problem, None, attempt=run, run_id=run)
    lake.publish(branch_of(built))
    return built


def in_days(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def maintain_all(spark: SparkSession, problem: Problem, *, days: int) -> dict[str, dict[str, Any]]:
    """Layer → what maintenance told of its table, so many days from now."""
    attempt = uuid.uuid4().hex[:6]
    done = [maintain_table(spark, problem, t, attempt=attempt, now=in_days(days)) for t in lake_tables(problem)]
    return {told["table"].split(".")[0]: told for told in done}


def heads(problem: Problem) -> list[lake.Head | None]:
    return [lake.head(table) for table in lake_tables(problem)]


def receipt(problem: Problem) -> dict[str, Any]:
    """What gold's newest commit says that it was made of."""
    found = lake.newest_with(names.gold(problem.problem), RECEIPT)
    assert found is not None
    told: dict[str, Any] = json.loads(found.properties[RECEIPT])
    return told


def between(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Something happens once, after a table is compacted on its branch and before that is published."""
    compact = maintain.compact

    def and_then(*arguments: Any, **more: Any) -> int:
        monkeypatch.setattr(maintain, "compact", compact)
        done = compact(*arguments, **more)
        happens()
        return done

    monkeypatch.setattr(maintain, "compact", and_then)


def killed() -> None:
    # What no `except Exception` cleans up after, as no code runs after a kill.
    raise KeyboardInterrupt


def test_killed_after_it_has_written_it_changes_nothing(
    spark: SparkSession, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, table = heads(problem), names.silver(problem.source_name)
    between(monkeypatch, killed)
    with pytest.raises(KeyboardInterrupt):
        maintain_table(spark, problem, table, attempt="killed")
    assert heads(problem) == before
    # Its branch looks like a writer's until it is swept.
    assert "is being written" in maintain_table(spark, problem, table, attempt="next")["written"]
    assert heads(problem) == before
    assert lake.sweep_branches([table], older_than_seconds=-1)


def test_it_gives_way_to_a_transform_under_way(
    spark: SparkSession, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = names.silver(problem.source_name)
    ingest(problem, "living", "living,2026-01-01,1,more,1,1")
    transformed = transform_data(spark, problem, attempt="living", run_id="living")
    told = maintain_table(spark, problem, table, attempt="first", now=in_days(400))
    assert "is being written" in told["written"]
    lake.publish(branch_of(transformed))  # nobody came first
    # The other way round: the transform begins while the table is compacted, and publishes first.
    ingest(problem, "between", "between,2026-01-01,1,other,1,1")
    between(monkeypatch, lambda: to_silver(spark, problem, "between"))
    told = maintain_table(spark, problem, table, attempt="second", now=in_days(400))
    assert told["written"] == "left as it is, because another attempt published first"
    assert {'["living"]', '["between"]'} <= set(silver(problem))
    assert upkeep.writers(table) == []
    build_and_publish_gold(spark, problem, "after")
    load_warehouse(problem)
    assert {'["living"]', '["between"]'} <= set(gold(problem))


def test_readers_and_writers_cannot_tell_that_it_ran(spark: SparkSession, problem: Problem) -> None:
    before, numbers, small = fingerprints(problem), receipt(problem), data_files(problem)
    first = maintain_all(spark, problem, days=8)
    assert fingerprints(problem) == before
    assert receipt(problem) == numbers
    assert pending_transform(problem) is None
    for told in first.values():
        assert told["written"].endswith("files replaced"), told
        assert told["after"]["files"] < told["before"]["files"]

    compacted = heads(problem)
    again = maintain_all(spark, problem, days=8)
    assert {told["written"] for told in again.values()} == {"nothing to compact"}
    assert heads(problem) == compacted

    # The next file: only its own rows are read, and the numbers go on.
    seq, keys = gold_seq(problem), set(gold(problem))
    built = take_in(spark, problem)
    assert (receipt(problem)["rows_read"], len(receipt(problem)["files"])) == (3, 1)
    assert gold_seq(problem) == seq + 1
    assert set(gold(problem)) == keys | {f'["{built["mark"]}"]'}
    assert gold(problem)['["k0"]']["note"] == f"note {built['mark']}"
    load_warehouse(problem)
    assert pending_transform(problem) is None

    # The readers have gone past what was compacted, so that now goes from the disk, too.
    last = maintain_all(spark, problem, days=16)
    assert all(first[layer]["expired"] + told["expired"] > 0 for layer, told in last.items())
    assert not small & data_files(problem)


def data_files(problem: Problem) -> set[str]:
    """Every data and delete file that lies under the problem's tables, whichever snapshot needs it."""
    folders = [upkeep.folder(table) for table in lake_tables(problem)]
    return {found.key for bucket, prefix in folders for found in object_store.list_objects(bucket, f"{prefix}data/")}


def gold_seq(problem: Problem) -> int:
    found = lake.newest_with(names.gold(problem.problem), GOLD_SEQ)
    assert found is not None
    return int(found.properties[GOLD_SEQ])


def test_a_reader_that_is_behind_finds_its_way(spark: SparkSession, problem: Problem) -> None:
    """Silver has not taken in two files, gold not one of silver's commits, and everything is old."""
    for name in ("to-silver", "late-1", "late-2"):
        ingest(problem, name, f"{name},2026-01-01,1,{name},1,1")
        if name == "to-silver":
            to_silver(spark, problem, name)
    before, keys = pending_transform(problem), set(gold(problem))
    maintain_all(spark, problem, days=400)
    assert pending_transform(problem) == before
    to_gold(spark, problem, "late")
    told = receipt(problem)
    assert told["rows_read"] == 3
    assert told["files"] == [f"{problem.landing_prefix}{name}.csv" for name in ("late-1", "late-2", "to-silver")]
    assert set(gold(problem)) == keys | {f'["{name}"]' for name in ("to-silver", "late-1", "late-2")}


def test_what_trained_a_model_stays(spark: SparkSession, problem: Problem) -> None:
    table = names.gold(problem.problem)
    then = lake.head(table)
    assert then is not None
    lake.create_tag(table, "trained_test", then.snapshot_id)
    rows = lake.read(table, snapshot_id=then.snapshot_id).sort_by("row_key")
    take_in(spark, problem)
    load_warehouse(problem)
    maintain_table(spark, problem, table, attempt="tagged", now=in_days(400))
    assert lake.read(table, snapshot_id=then.snapshot_id).sort_by("row_key").equals(rows)
    assert lake.head(table, ref="trained_test") == then


def test_old_rows_of_quarantine_go_and_the_reason_why_a_row_is_stale_stays(spark: SparkSession) -> None:
    with own_problem() as problem:
        forget_and_keep(spark, problem)


def forget_and_keep(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,1,1", "k2,2026-01-01,5,x,1,1")
    to_silver(spark, problem, "a")
    ingest(problem, "b", "k1,2026-01-02,500,x,1,1", "lost,never,1,x,1,1")
    to_silver(spark, problem, "b")
    long_ago = [row["row_key"] for row in quarantine(problem)]
    assert long_ago == ['["k1"]', '["lost"]']
    table = names.quarantine(problem.source_name)
    young = maintain_table(spark, problem, table, attempt="young", now=in_days(89))
    assert (young["forgotten"], len(quarantine(problem))) == (0, 2)
    old = maintain_table(spark, problem, table, attempt="old", now=in_days(91))
    assert old["forgotten"] == 1
    assert [row["row_key"] for row in quarantine(problem)] == ['["k1"]']
    assert silver(problem)['["k1"]']["stale_since"] is not None
    again = maintain_table(spark, problem, table, attempt="again", now=in_days(91))
    assert (again["forgotten"], again["written"]) == (0, "nothing to compact")
    # The next file is taken in as if nothing had happened.
    ingest(problem, "c", "k2,2026-01-01,6,y,1,1")
    to_silver(spark, problem, "c")
    assert silver(problem)['["k2"]']["last_position"]["path"].endswith("c.csv")
    assert len(quarantine(problem)) == 1


def test_lost_files_go_once_they_are_old(spark: SparkSession, problem: Problem) -> None:
    table = names.silver(problem.source_name)
    bucket, prefix = upkeep.folder(table)
    old, young = f"{prefix}data/lost-long-ago.parquet", f"{prefix}data/lost-just-now.parquet"
    put_long_ago(bucket, old, b"of an attempt that was killed", days=4)
    object_store.put(bucket, young, b"of an attempt under way")
    told = maintain_table(spark, problem, table, attempt="maintain")
    assert told["orphans"] == 1
    assert object_store.head(bucket, old) is None
    assert object_store.head(bucket, young) is not None


@pytest.mark.parametrize(("kind", "file"), [("data-docs", "/index.html"), ("runs", ".html")])
def test_old_reports_go_and_the_newest_of_each_stage_stays(problem: Problem, kind: str, file: str) -> None:
    bucket, prefix = get_settings().reports_bucket, f"{kind}/{problem.problem}"
    for run, days in (("a", 200), ("b", 100), ("c", 10)):
        put_long_ago(bucket, f"{prefix}/one/{run}{file}", b"page", days=days)
    put_long_ago(bucket, f"{prefix}/another/a{file}", b"page", days=200)
    assert remove_old_reports(problem)["reports"] == 2
    left = [found.key.removeprefix(f"{prefix}/") for found in object_store.list_objects(bucket, f"{prefix}/")]
    assert left == [f"another/a{file}", f"one/c{file}"]
