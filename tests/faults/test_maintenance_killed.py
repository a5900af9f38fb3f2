"""`kill -9` of maintenance while Spark writes the smaller files: nobody can tell, and the next run makes it good."""

import uuid
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import Any

import pytest

from millrace.adapters import connect, lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.drills.held_commit import held_commit
from millrace.steps.lake_tables import lake_tables
from millrace.steps.maintain_table import maintain_table
from spark_jobs import maintain
from tests.awaiting import await_that
from tests.faults import sales
from tests.faults.conftest import Told
from tests.faults.victims import PATIENCE_SECONDS, a_victim, kill
from tests.tables import fingerprints

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def test_killed_while_it_rewrites(calm: sales.Calm, told: Told) -> None:
    begun, may_write = get_context("spawn").Event(), get_context("spawn").Event()
    with sales.sales() as problem:
        for number in range(2):
            sales.take_in(problem, number)
        silver, before = names.silver(problem.source_name), heads(problem)
        with a_victim(maintained, problem, silver, begun, may_write) as victim:
            assert begun.wait(PATIENCE_SECONDS)
            with held_commit(silver) as commit:
                may_write.set()
                await_that("Spark has written the files", commit.waits_in_spark, seconds=PATIENCE_SECONDS)
                kill(victim)
                assert fingerprints(problem) == calm[1]
        assert heads(problem) == before
        await_that("a later run gets through", lambda: is_compacted(problem, silver), seconds=PATIENCE_SECONDS)
        assert heads(problem) != before
        assert fingerprints(problem) == calm[1]
    told("maintenance killed while it rewrites silver", "tables as undisturbed, compacted by the next run")


def maintained(problem: Problem, table: str, begun: Event | None = None, may_write: Event | None = None) -> str:
    """Maintain a table whose few files are many enough; returns what became of it in words.

    Args:
        begun: Is set when the branch is cut.
        may_write: Is waited for before Spark is asked to write to it.
    """
    compact = maintain.compact

    def in_turn(*arguments: Any, **more: Any) -> int:
        if begun and may_write:
            begun.set()
            may_write.wait()
        return compact(*arguments, **more)

    with pytest.MonkeyPatch.context() as patched, connect.session() as spark:
        patched.setattr(maintain, "FEWEST_FILES", 2)
        patched.setattr(maintain, "compact", in_turn)
        return str(maintain_table(spark, problem, table, attempt=uuid.uuid4().hex)["written"])


def is_compacted(problem: Problem, table: str) -> bool:
    # What the killed attempt left is swept as reconcile does; Spark may still be writing to it.
    lake.sweep_branches([table], older_than_seconds=-1)
    return maintained(problem, table).endswith("files replaced")


def heads(problem: Problem) -> list[lake.Head | None]:
    return [lake.head(table) for table in lake_tables(problem)]
