"""While a table's commits are held, its readers get their answers, and the writer goes on when the block ends."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pyarrow as pa
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from millrace.adapters import connect, lake
from millrace.drills.held_commit import HeldCommit, held_commit
from spark_jobs.fenced_write import Target, append
from tests.awaiting import await_that

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
PATIENCE_SECONDS = 60


@pytest.fixture
def table() -> Iterator[str]:
    name = f"gold.held_{uuid.uuid4().hex[:6]}"
    lake.ensure_table(name, Schema(NestedField(1, "number", LongType(), required=False)))
    yield name
    lake.drop_table(name)


def test_a_held_commit_waits_and_readers_do_not(table: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        with held_commit(table) as held:
            branch = pool.submit(lake.cut_branch, table, "attempt")
            await_that("the writer waits", lambda: waiting(held), seconds=PATIENCE_SECONDS)
            assert not held.waits_in_spark(), "it is a process of ours that waits"
            assert lake.count(table) == 0
            assert lake.stray_branches(table, -1) == []
        cut = branch.result(timeout=PATIENCE_SECONDS)
    lake.append(cut, pa.table({"number": [1, 2]}), {})
    lake.publish(cut)
    assert lake.count(table) == 2


def test_a_write_of_spark_is_told_from_ours(table: str) -> None:
    cut = lake.cut_branch(table, "attempt")
    with ThreadPoolExecutor(1) as pool:
        with held_commit(table) as held:
            written = pool.submit(written_by_spark, cut)
            await_that("Spark waits", held.waits_in_spark, seconds=10 * PATIENCE_SECONDS)
            assert lake.head(table, cut.name) == lake.head(table)
        written.result(timeout=PATIENCE_SECONDS)
    lake.publish(cut)
    assert lake.count(table) == 3


def written_by_spark(branch: lake.Branch) -> None:
    with connect.session() as spark:
        append(spark.range(3).withColumnRenamed("id", "number"), Target(branch.table, branch.name, branch.base, {}))


def test_other_tables_are_not_held(table: str) -> None:
    with held_commit("gold.of_no_such_name"):
        lake.drop_branch(lake.cut_branch(table, "attempt"))


def waiting(held: HeldCommit) -> int:
    connection: psycopg.Connection[tuple[int]] = held.connection
    connection.execute("SELECT pg_stat_clear_snapshot()")
    query = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    found = connection.execute(query).fetchone()
    assert found is not None
    return found[0]
