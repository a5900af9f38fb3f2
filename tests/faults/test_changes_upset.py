"""While an application works on its table, something is stopped, lost, sent, or run again: silver ends as the table."""

import json
import os
import signal
import threading
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import airflow_tables, keeper_report, lake, object_store, source_database, supervised, topics
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.row_keys import row_key
from millrace.drills.lost_slot import unheard
from millrace.simulation.at_work import AtWork, repeated
from millrace.simulation.live import Played, play
from millrace.steps.ingest_changes import ingest_changes
from millrace.steps.resnapshot import needed, resnapshot
from tests.application import live_problem
from tests.awaiting import await_that
from tests.faults.conftest import Told
from tests.faults.test_changes_live import answers
from tests.steps.transforming import (
    HEADER,
    problem_named,
    quarantine,
    removed_afterwards,
    silver,
    to_silver,
    with_changes,
)
from tests.topics import change, delete_messages_before, own_topic, rows

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_500)]
PATIENCE_SECONDS = 900
LONG_SECONDS, SHORT_SECONDS = 120, 20
HOUR = 3_600
SAME = "silver as the application left its table, no message twice in bronze"


@pytest.fixture(scope="module")
def problem(airflow: AirflowApi) -> Iterator[Problem]:
    """Its backlog fires every two seconds."""
    with live_problem("upset", airflow, rows=1_000, seconds=2, retry_seconds=20) as problem:
        yield problem


@contextmanager
def at_work(problem: Problem, told: Told, fault: str) -> Iterator[AtWork]:
    """An application that works before, while and after the block does its worst; at the end silver is as its table."""
    with AtWork(problem, seed=zlib.crc32(fault.encode()), rate=5) as application:
        await_that("rows are in silver", lambda: answers(application.came), seconds=PATIENCE_SECONDS)
        began = time.monotonic()
        yield application
        seen = len(application.played.world.ever)
        await_that("new rows come", lambda: answers(lambda: application.came(since=seen)), seconds=PATIENCE_SECONDS)
        seconds = time.monotonic() - began
    holds(application.played)
    told(f"{fault} while an application works", SAME, seconds)


def holds(played: Played) -> None:
    await_that("all is there", lambda: answers(lambda: not played.differences()), seconds=PATIENCE_SECONDS)
    assert repeated(played.problem) == 0


def test_connect_is_stopped_for_two_minutes(problem: Problem, told: Told) -> None:
    with at_work(problem, told, f"`kafka_connect` stopped for {LONG_SECONDS} s"):
        stopped("kafka_connect", LONG_SECONDS)


def test_the_object_store_is_stopped(problem: Problem, told: Told) -> None:
    with at_work(problem, told, f"`minio` stopped for {SHORT_SECONDS} s"):
        stopped("minio", SHORT_SECONDS)


def stopped(service: str, seconds: float) -> None:
    try:
        supervised.stop(service)
        time.sleep(seconds)  # the outage itself
    finally:
        supervised.start(service)


@pytest.mark.parametrize(("stage", "task"), [("ingest_changes", "ingest_changes"), ("transform", "transform_data")])
def test_the_process_of_a_task_is_killed(
    problem: Problem, airflow: AirflowApi, stage: str, task: str, told: Told
) -> None:
    with at_work(problem, told, f"process of `{task}` killed"):
        dag = names.dag_id(problem.problem, stage)
        pid = await_that(f"{task} runs", lambda: process_of(airflow, dag, task), seconds=PATIENCE_SECONDS)
        os.kill(pid, signal.SIGKILL)


def process_of(airflow: AirflowApi, dag: str, task_id: str) -> int | None:
    found = (task for run in airflow.unfinished(dag) for task in airflow.tasks(run) if task.task_id == task_id)
    return next((task.pid for task in found if task.state == "running" and task.pid), None)


def test_a_slot_is_dropped_and_every_row_read_anew(problem: Problem, told: Told) -> None:
    played = play(problem, seed=77)
    played.play_rows(200, rate=100)
    holds(played)
    began = time.monotonic()
    try:
        supervised.stop("kafka_connect")
        await_that("the slot is not in use", lambda: not in_use(problem), seconds=60)
        source_database.drop_slot(problem.problem)
        played.load(unheard(played))
    finally:
        supervised.start("kafka_connect")
    await_that(
        "the keeper tells it",
        lambda: "millrace resnapshot" in str(keeper_report.missing(problem.problem)),
        seconds=PATIENCE_SECONDS,
    )
    assert resnapshot(problem, anew=True, say=print).anew
    holds(played)
    told(
        "a slot dropped while rows are committed and deleted, then `millrace resnapshot`",
        SAME,
        time.monotonic() - began,
    )


def test_messages_are_gone_from_the_topic_before_they_are_taken_in(
    problem: Problem, airflow: AirflowApi, told: Told
) -> None:
    played, dag = play(problem, seed=78), names.dag_id(problem.problem, "ingest_changes")
    played.play_rows(200, rate=100)
    holds(played)
    began, topic = time.monotonic(), str(problem.change_topic)
    airflow.pause(dag)
    try:
        await_that("no run is under way", lambda: not airflow.unfinished(dag), seconds=PATIENCE_SECONDS)
        before = topics.state(topic).end[0]
        played.load(unheard(played))
        await_that("they are in the topic", lambda: topics.state(topic).end[0] > before + 45, seconds=60)
        delete_messages_before(topic, topics.state(topic).end[0])
    finally:
        airflow.pause(dag, paused=False)
    found = needed(problem, say=print)
    assert found.given_up
    assert resnapshot(problem, anew=bool(found.anew), say=print).given_up == found.given_up
    holds(played)
    told(
        "messages deleted from the topic before they are taken in, then `millrace resnapshot`",
        SAME,
        time.monotonic() - began,
    )


def in_use(problem: Problem) -> bool:
    slot = source_database.slot(problem.problem)
    return slot is not None and slot.active


def test_a_message_that_cannot_be_read(problem: Problem, told: Told) -> None:
    poison = b"\x00\xff no JSON"
    with at_work(problem, told, "a message of unreadable bytes in the topic"):
        offset = topics.send(str(problem.change_topic), poison)
        await_that("it is in quarantine", lambda: offset in unreadable(problem), seconds=PATIENCE_SECONDS)
    bronze = names.bronze_changes(problem.source_name)
    [held] = lake.read(bronze, columns=("value",), where=f"offset == {offset}")["value"].to_pylist()
    assert bytes(held) == poison


def unreadable(problem: Problem) -> list[int]:
    if not lake.table_exists(names.quarantine(problem.source_name)):
        return []
    return [row["row_number"] for row in quarantine(problem) if "message:malformed" in row["reasons"]]


def test_events_of_assets_are_lost(problem: Problem, told: Told) -> None:
    """From the moment on at which the application ends: whatever is left to do, no event tells of it."""
    assets = (names.changes_asset(problem.source_name), names.bronze_asset(problem.source_name))
    with at_work(problem, told, "events of bronze and of changes deleted from Airflow's tables") as application:
        pass
    with AtWork(problem, seed=4_242, rate=5) as application, losing(*assets) as lost:
        await_that("events of bronze are lost", lambda: lost[assets[1]], seconds=PATIENCE_SECONDS)
    began = time.monotonic()
    with losing(*assets) as lost:
        holds(application.played)
    print(f"{lost} events were lost in {time.monotonic() - began:.0f} s")


@contextmanager
def losing(*assets: str) -> Iterator[dict[str, int]]:
    """Deletes each event as soon as it is written; asset → how many there were."""
    lost, over = dict.fromkeys(assets, 0), threading.Event()

    def lose() -> None:
        while not over.wait(0.1):
            for asset in assets:
                lost[asset] += len(airflow_tables.lose_events(asset))

    thread = threading.Thread(target=lose)
    thread.start()
    try:
        yield lost
    finally:
        over.set()
        thread.join()


def test_tasks_are_run_again_after_their_success(problem: Problem, airflow: AirflowApi, told: Told) -> None:
    began = datetime.now(UTC)
    with at_work(problem, told, "successful runs of `ingest_changes` and `transform` cleared, and run again") as worked:
        for stage in ("ingest_changes", "transform"):
            dag = names.dag_id(problem.problem, stage)
            run = await_that(
                f"a run of {stage} succeeded",
                lambda dag=dag: [one for one in airflow.runs_since(dag, began) if one.state == "success"],
                seconds=PATIENCE_SECONDS,
            )[-1]
            tries = sum(task.try_number for task in airflow.tasks(run))
            airflow.clear(run)
            await_that(
                "it succeeded once more",
                lambda run=run, tries=tries: (
                    sum(task.try_number for task in airflow.tasks(run)) > tries
                    and airflow.run(run.dag_id, run.run_id).state == "success"
                ),
                seconds=PATIENCE_SECONDS,
            )
    holds(worked.played)


def test_a_file_with_older_rows_of_the_same_keys_lands(problem: Problem, told: Told) -> None:
    with at_work(problem, told, "a file lands with older rows of the same keys") as application:
        known = [key[0] for key in list(application.played.world.rows)[:50]]
        mark = f"file_{uuid.uuid4().hex[:6]}"
        lines = [f"{key},2001-01-01T00:00:00Z,1.5,of the file,1,0" for key in [*known, mark]]
        object_store.put_landing(f"{problem.landing_prefix}{mark}.csv", "\n".join([HEADER, *lines, ""]).encode())
        key = row_key(problem.source, (mark,))
        await_that(
            "its own row is in silver", lambda: answers(lambda: key in silver(problem)), seconds=PATIENCE_SECONDS
        )
    assert [row["row_key"] for row in silver(problem).values() if row["note"] == "of the file"] == [key]


def test_the_clock_of_the_source_is_put_back(spark: SparkSession, told: Told) -> None:
    """Its database tells the log's position beside the time, and only the first orders anything."""
    followed = with_changes(problem_named(uuid.uuid4().hex[:8]), {"seconds": 3_600})
    with removed_afterwards(followed) as problem, own_topic(problem) as sender:
        # So many that one row less is no suspicious drop.
        sender.send(
            *rows("other", 30), *(change("c", after=row(key, "first"), lsn=n) for n, key in enumerate("abc", 30))
        )
        take_in(spark, problem, "one")
        sender.send(
            told_at(-HOUR, change("u", before=row("a", "first"), after=row("a", "later"), lsn=40)),
            told_at(-HOUR, change("d", before=row("b", "first"), lsn=41)),
            told_at(-2 * HOUR, change("d", before=row("c", "first"), lsn=42)),
            told_at(-3 * HOUR, change("c", after=row("c", "again"), lsn=43)),
        )
        take_in(spark, problem, "two")
        held = {json.loads(key)[0]: one["note"] for key, one in silver(problem).items() if not one["deleted"]}
        assert {key: held.get(key) for key in "abc"} == {"a": "later", "b": None, "c": "again"}
        assert repeated(problem) == 0
    told("clock of the source put back by an hour", "what was committed later counts, by its position in the log")


def row(key: str, note: str) -> dict[str, Any]:
    return {"id": key, "seen_at": "2026-01-01T00:00:00Z", "size": 5.5, "note": note, "phone": "1", "sold": 1}


def told_at(seconds: float, message: dict[str, Any]) -> dict[str, Any]:
    """The same message, committed so much later by the clock of the database."""
    value = json.loads(message["value"])
    value["source"]["ts_us"] += int(seconds * 1_000_000)
    return message | {"value": json.dumps(value).encode()}


def take_in(spark: SparkSession, problem: Problem, run: str) -> None:
    ingest_changes(spark, problem, attempt=run, run_id=run)
    to_silver(spark, problem, run)
