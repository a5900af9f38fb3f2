"""Changes that go on coming: how long each takes to gold, and whether a thousand a second leave anything behind."""

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from benchmarks import report
from benchmarks.resident import service_bytes
from millrace.adapters import lake
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.simulation.at_work import AtWork
from millrace.steps.change_backlog import backlog
from millrace.steps.change_latency import PLACES, change_latency
from tests.application import live_problem
from tests.awaiting import await_that

pytestmark = [pytest.mark.bench, pytest.mark.stack, pytest.mark.timeout(1800)]
SMALL_SECONDS, SMALL_RATE = 240, 5
GOAL_SECONDS = 60
RATE, LOAD_SECONDS, IN_A_TRANSACTION = 1_000, 180, 100
WATCHED = ("kafka_connect", "kafka", "spark")
PATIENCE_SECONDS = 600


@pytest.fixture(scope="module")
def problem(airflow: AirflowApi) -> Iterator[Problem]:
    with live_problem("bench", airflow, rows=1_000, seconds=5) as problem:
        yield problem


def test_a_small_change_is_in_gold_soon(problem: Problem) -> None:
    with AtWork(problem, seed=1, rate=SMALL_RATE) as application:
        await_that("the stack is warm", application.came, seconds=PATIENCE_SECONDS)
        began = datetime.now(UTC)
        time.sleep(SMALL_SECONDS)
    await_that("all is there", lambda: not application.played.differences(), seconds=PATIENCE_SECONDS)
    latency = change_latency(problem, began)
    gold = latency["gold"]
    report.write(
        "changes-latency",
        "From the commit of a change to gold",
        {f"→ {place}": f"p50 {latency[place].p50:.1f} s, p99 {latency[place].p99:.1f} s" for place in PLACES}
        | {"**commit → gold, p50**": f"**{gold.p50:.1f} s** (goal ≤ {GOAL_SECONDS}), of {gold.changes:,} changes"},
        how=(
            f"An application changes rows of its table, {SMALL_RATE} a second, on a warm stack, for {SMALL_SECONDS} s; "
            "every stage is started by Airflow, and silver is afterwards as the application left its table. A place is "
            "reached when the snapshot that holds the change is what readers of main see."
        ),
    )
    assert gold.p50 <= GOAL_SECONDS


def test_a_thousand_rows_a_second_leave_no_backlog_behind(problem: Problem) -> None:
    before, prefix = lake.count(names.bronze_changes(problem.source_name)), uuid.uuid4().hex[:6]
    waits: list[int] = []
    memory: dict[str, list[int]] = {service: [] for service in WATCHED}
    done = threading.Event()
    writer = threading.Thread(target=_write, args=(str(problem.change_table), prefix, done))
    writer.start()
    while not done.wait(5):
        waits.append(backlog(problem, str(problem.change_topic)).rows)
        for service in WATCHED:
            memory[service].append(service_bytes(service))
    writer.join()
    written = RATE * LOAD_SECONDS
    await_that(
        "bronze holds all of it",
        lambda: lake.count(names.bronze_changes(problem.source_name)) - before >= written,
        seconds=PATIENCE_SECONDS,
    )
    first, second = waits[: len(waits) // 2], waits[len(waits) // 2 :]
    grown = {service: (max(found) - max(found[: len(found) // 2])) / 1024**2 for service, found in memory.items()}
    report.write(
        "changes-load",
        f"{RATE:,} committed rows a second for {LOAD_SECONDS} s",
        {
            "**largest backlog, first half → second half**": f"**{max(first):,} → {max(second):,} rows**",
            **{
                f"memory of `{service}`": f"{max(found) / 1024**2:,.0f} MiB at most, {grown[service]:+,.0f} MiB in the "
                "second half"
                for service, found in memory.items()
            },
        },
        how=(
            f"Inserted in transactions of {IN_A_TRANSACTION}. Airflow takes them to bronze, silver and gold meanwhile. "
            "The backlog is what waits in the topic, looked at every 5 s."
        ),
    )
    assert max(second) <= 2 * max(first)


def _write(table: str, prefix: str, done: threading.Event) -> None:
    began = time.monotonic()
    insert = f"""
        INSERT INTO {table} SELECT '{prefix}-' || n, now(), n % 90, 'x', '1', n % 2
        FROM generate_series(%s::int, %s::int) AS n
    """
    try:
        with psycopg.connect(get_settings().source_dsn("application"), autocommit=True) as connection:
            for first in range(0, RATE * LOAD_SECONDS, IN_A_TRANSACTION):
                time.sleep(max(0.0, began + first / RATE - time.monotonic()))
                connection.execute(insert, [first, first + IN_A_TRANSACTION - 1])
    finally:
        done.set()
