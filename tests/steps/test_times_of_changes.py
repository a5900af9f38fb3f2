"""Whatever type a time has in the source database, silver holds it in UTC; what is no time is quarantined."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from infra.connectors import registration
from infra.services import postgres_server
from infra.services import source_database as server
from millrace.adapters import source_database, topics
from millrace.adapters.source_database import connection
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.ingest_changes import ingest_changes
from tests.application import unfollowed_afterwards
from tests.awaiting import await_that
from tests.steps.transforming import problem_named, quarantine, silver, to_silver

pytestmark = pytest.mark.stack

COLUMNS: dict[str, Any] = {
    "id": {"type": "string"},
    "seen_at": {"type": "timestamp"},
    "day": {"type": "timestamp", "nullable": True},
    "local": {"type": "timestamp", "nullable": True},
    "size": {"type": "number", "nullable": True},
    "sold": {"type": "integer", "allowed": [0, 1], "nullable": True},
}
TABLE = """
    CREATE TABLE {} (id text PRIMARY KEY, seen_at timestamptz, day date, local timestamp, size float8, sold bigint)
"""
AT = "2024-01-02 03:04:05.678901+02"
GOOD = {
    "whole": ("2024-02-29", "2024-01-02 03:04:05.678901"),
    "short": ("1999-12-31", "2024-01-02 03:04:00"),
    "old": ("1600-02-29", "1600-02-29 00:00:00.5"),
    "none": (None, None),
}
"""Key → day and local time. Each comes twice: read by the snapshot, and from the log."""
BROKEN = {
    "endless": ("infinity", "infinity"),
    "beginningless": ("-infinity", "-infinity"),
    "before Christ": ("0044-03-15 BC", "0044-03-15 12:00:00 BC"),
    "far": ("12345-06-07", "12345-06-07 08:09:10"),
    "last": ("5874897-12-31", "294276-12-31 23:59:59.999999"),
}


@pytest.fixture
def problem() -> Iterator[Problem]:
    """Its table is the application's own, with rows from before it is followed."""
    content = problem_named(f"times_{uuid.uuid4().hex[:8]}", COLUMNS).model_dump(mode="json", exclude_defaults=True)
    [(name, source)] = content["sources"].items()
    source["changes"] = {"rows": 1}
    with postgres_server.connect(server.SERVER, get_settings(), server.DATABASE) as database:
        database.execute(TABLE.format(name))
        database.execute(f"ALTER TABLE {name} OWNER TO application")
    insert(name, "snapshot")
    with unfollowed_afterwards(content) as problem:
        await_that(f"{name} is followed", lambda: is_followed(problem.problem), seconds=180)
        yield problem


def insert(table: str, prefix: str) -> None:
    rows = [[f"{prefix} {key}", AT, *told] for key, told in (GOOD | BROKEN).items()]
    rows += [[f"{prefix} {key} of all", told[1], None, None] for key, told in BROKEN.items()]
    with connection("application") as database, database.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} (id, seen_at, day, local) VALUES (%s, %s, %s, %s)", rows)


def is_followed(name: str) -> bool:
    return registration.in_words(registration.state(name, get_settings())) is None and bool(
        (slot := source_database.slot(name)) and slot.active
    )


def test_days_times_without_a_zone_and_times_with_one_are_read_as_utc(spark: SparkSession, problem: Problem) -> None:
    topic, expected = str(problem.change_topic), len(GOOD) + 2 * len(BROKEN)
    await_that("the snapshot is complete", lambda: topics.state(topic).end[0] >= expected, seconds=120)
    insert(str(problem.change_table), "log")
    await_that("every row arrived", lambda: topics.state(topic).end[0] >= 2 * expected, seconds=120)
    ingest_changes(spark, problem, attempt="first", run_id="first")
    to_silver(spark, problem)
    rows = [row for row in silver(problem).values() if not row["deleted"]]
    held = {row["id"]: (row["seen_at"], row["day"], row["local"]) for row in rows}
    at = datetime(2024, 1, 2, 1, 4, 5, 678901, tzinfo=UTC)
    assert held == {
        f"{prefix} {key}": (at, day, local)
        for prefix in ("snapshot", "log")
        for key, (day, local) in {
            "whole": (datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
            "short": (datetime(1999, 12, 31, tzinfo=UTC), datetime(2024, 1, 2, 3, 4, tzinfo=UTC)),
            "old": (datetime(1600, 2, 29, tzinfo=UTC), datetime(1600, 2, 29, 0, 0, 0, 500_000, tzinfo=UTC)),
            "none": (None, None),
        }.items()
    }
    reasons = sorted(sorted(row["reasons"]) for row in quarantine(problem))
    columns, time = ["type:day", "type:local"], ["type:seen_at"]
    # Debezium's snapshot, not its log, tells a day before Christ as one of the same number after (seen).
    assert reasons == sorted(9 * [columns] + [["type:local"]] + 2 * len(BROKEN) * [time])
