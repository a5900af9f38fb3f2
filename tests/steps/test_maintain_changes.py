"""A table of changes gets a snapshot with each ingestion: they go within hours, and ingestion goes on where it was."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.adapters.lake import upkeep
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps.changes_table import committed_until, recorded_offsets, resumed_at
from millrace.steps.ingest_changes import ingest_changes
from millrace.steps.maintain_table import maintain_table
from millrace.steps.resnapshot import give_up_offsets
from spark_jobs import maintain
from tests.steps.transforming import problem_named, removed_afterwards, to_silver, with_changes
from tests.topics import Sender, made_anew, own_topic, rows

pytestmark = pytest.mark.stack


@pytest.fixture
def problem() -> Iterator[Problem]:
    with removed_afterwards(with_changes(problem_named(uuid.uuid4().hex[:8]), {})) as made:
        yield made


def test_states_of_hours_ago_go_and_what_ingestion_goes_on_from_stays(
    spark: SparkSession, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a table that somebody always writes to, which is never compacted.
    monkeypatch.setattr(maintain, "FEWEST_FILES", 1_000)
    table = names.bronze_changes(problem.source_name)
    with own_topic(problem) as sender:
        sender.send(*rows("old", 1))
        ingest_changes(spark, problem, attempt="old", run_id="old")
        made_anew(sender.topic)
        assert give_up_offsets(problem)
        anew = Sender(problem)
        for number in range(4):
            anew.send(*rows(f"k{number}-", 1))
            ingest_changes(spark, problem, attempt=f"run-{number}", run_id=f"run-{number}")
        recorded = recorded_offsets(table), committed_until(table), resumed_at(table)
        assert kept_after(spark, problem, hours=5) >= 6
        assert kept_after(spark, problem, hours=7) >= 6, "silver reads from the first of them on"
        to_silver(spark, problem, "silver")
        assert kept_after(spark, problem, hours=7) == 1
        assert (recorded_offsets(table), committed_until(table), resumed_at(table)) == recorded
        assert lake.count(table) == 5
        anew.send(*rows("new", 2))
        assert ingest_changes(spark, problem, attempt="last", run_id="last")["messages"] == 2
        assert resumed_at(table) == recorded[2]


def kept_after(spark: SparkSession, problem: Problem, *, hours: int) -> int:
    """Snapshots that are left when maintenance has run so many hours from now."""
    table, now = names.bronze_changes(problem.source_name), datetime.now(UTC) + timedelta(hours=hours)
    maintain_table(spark, problem, table, attempt=uuid.uuid4().hex[:6], now=now)
    return len(upkeep.kept(table).snapshots)
