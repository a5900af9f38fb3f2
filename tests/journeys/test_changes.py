"""A row that an application commits reaches bronze once, without anyone acting: database, Debezium, Kafka, Airflow."""

import json
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from millrace.adapters import lake, supervised
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from tests.application import Application, inserted, live_problem, offsets_of
from tests.awaiting import await_that

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
PATIENCE_SECONDS = 240


@pytest.fixture(scope="module")
def problem(airflow: AirflowApi) -> Iterator[Problem]:
    with live_problem("live", airflow, rows=1_000, seconds=2) as problem:
        yield problem


def test_every_committed_row_comes_once_also_while_connect_is_killed(problem: Problem) -> None:
    with Application(problem, "a") as application:
        await_that("first rows are in bronze", lambda: inserted(problem, "a"), seconds=PATIENCE_SECONDS)
        killed = supervised.kill("kafka_connect")
        await_that("it is back", lambda: supervised.pid("kafka_connect") not in (None, killed), seconds=60)
        seen = len(inserted(problem, "a"))
        await_that("more rows came", lambda: len(inserted(problem, "a")) > seen, seconds=PATIENCE_SECONDS)
    committed = application.committed()
    await_that("all rows are in bronze", lambda: set(inserted(problem, "a")) >= committed, seconds=PATIENCE_SECONDS)
    assert inserted(problem, "a") == Counter(committed)
    assert offsets_of(problem) == sorted(set(offsets_of(problem))), "no message stands there twice"


def test_updates_deletes_and_key_changes_come_in_the_order_of_their_commits(problem: Problem) -> None:
    with psycopg.connect(get_settings().source_dsn("application"), autocommit=True) as connection:
        table = str(problem.change_table)
        for statement in (
            f"INSERT INTO {table} VALUES ('one', now(), 1, 'x', '1', NULL)",
            f"UPDATE {table} SET sold = 1, size = 99 WHERE id = 'one'",
            f"UPDATE {table} SET id = 'two' WHERE id = 'one'",
            f"DELETE FROM {table} WHERE id = 'two'",
        ):
            connection.execute(statement)  # type: ignore[arg-type]
    wanted = [
        ("c", "one"),
        ("u", "one"),
        ("d", "one"),
        ("tombstone", "one"),
        ("c", "two"),
        ("d", "two"),
        ("tombstone", "two"),
    ]

    def told() -> list[tuple[str, str]]:
        table = names.bronze_changes(problem.source_name)
        found = sorted(lake.read(table).to_pylist(), key=lambda one: one["offset"])
        keyed = [(one["operation"], json.loads(one["key"])["id"]) for one in found if one["key"]]
        return [one for one in keyed if one[1] in ("one", "two")]

    await_that("the delete is in bronze", lambda: ("tombstone", "two") in told(), seconds=PATIENCE_SECONDS)
    assert told() == wanted
