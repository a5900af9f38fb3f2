"""Faults that strike a running Airflow: whatever dies, the tables end as if nothing had been (`make test-faults`)."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.adapters import champions, fleet, lake, object_store, ray_jobs, supervised
from millrace.adapters.airflow_api import AirflowApi, Run
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.demo.follow import FROM_FILES
from millrace.settings import get_settings
from tests import own_stack
from tests.awaiting import await_that
from tests.faults.conftest import Told, nothing_pending, taken_in
from tests.tables import fingerprints, land, simulated
from tests.throwaway import problem_like

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_200)]
ROWS = 60_000
OUTAGE_SECONDS = 20
PATIENCE_SECONDS = 600


@pytest.fixture(scope="module")
def content() -> bytes:
    """A file that takes seconds to ingest."""
    with problem_like("diabetes") as model:
        return simulated(model, rows=ROWS, seed=7).content


@pytest.fixture(scope="module")
def expected(content: bytes) -> dict[str, str]:
    """Fingerprints of a problem that took the file in undisturbed. Made before Airflow runs: it would join in."""
    with problem_like("diabetes") as problem:
        return taken_in(problem, content)


@pytest.fixture
def problem(expected: dict[str, str], airflow: AirflowApi) -> Iterator[Problem]:
    """A twin that the running Airflow knows; training waits until a test asks for it."""
    with problem_like("diabetes", some_trials) as problem:
        dags = [names.dag_id(problem.problem, stage) for stage in FROM_FILES]
        await_that("its DAGs appear", lambda: all(map(airflow.knows, dags)), seconds=PATIENCE_SECONDS)
        airflow.pause(names.dag_id(problem.problem, "train"))
        yield problem


def some_trials(content: dict[str, Any]) -> None:
    """Enough for a search to be under way still when its first trial is done."""
    content["training"]["trials"] = 12


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def kill_service(name: str) -> None:
    kill(supervised.pid(name))


def test_the_process_of_a_task_is_killed_mid_ingest(
    problem: Problem, content: bytes, expected: dict[str, str], airflow: AirflowApi, told: Told
) -> None:
    landed = datetime.now(UTC)
    land(problem, "file", content)
    mid_ingest(problem)
    runs = airflow.runs_since(names.dag_id(problem.problem, "ingest_files"), landed)
    (at_work,) = [task for run in runs for task in airflow.tasks(run) if task.state == "running"]
    assert at_work.task_id == "ingest_raw_data"
    kill(at_work.pid)
    ends_as_expected(problem, expected, told, "process of `ingest_raw_data` killed")


def test_the_object_store_is_gone_mid_ingest(
    problem: Problem, content: bytes, expected: dict[str, str], told: Told
) -> None:
    land(problem, "file", content)
    mid_ingest(problem)
    supervised.stop("minio")
    time.sleep(OUTAGE_SECONDS)  # the outage itself
    own_stack.start(airflow=True)
    ends_as_expected(problem, expected, told, f"object store gone for {OUTAGE_SECONDS} s during `ingest_raw_data`")


def test_postgres_is_killed_mid_transform(
    problem: Problem, content: bytes, expected: dict[str, str], told: Told
) -> None:
    """With it go the catalog, the warehouse, MLflow's database and Airflow's own."""
    land(problem, "file", content)
    mid_transform(problem)
    kill_service("postgres")
    ends_as_expected(problem, expected, told, "Postgres killed during `transform_data`")


def test_the_object_store_stands_still_mid_transform(
    problem: Problem, content: bytes, expected: dict[str, str], told: Told
) -> None:
    """It takes connections, and answers nobody: not us, not Spark, not Airflow's logs."""
    land(problem, "file", content)
    mid_transform(problem)
    store = supervised.demand_pid("minio")
    os.kill(store, signal.SIGSTOP)
    try:
        time.sleep(OUTAGE_SECONDS)  # the outage itself
    finally:
        os.kill(store, signal.SIGCONT)
    ends_as_expected(
        problem, expected, told, f"object store stands still for {OUTAGE_SECONDS} s during `transform_data`"
    )


def test_finished_runs_are_cleared_and_run_again(
    problem: Problem, content: bytes, expected: dict[str, str], airflow: AirflowApi, told: Told
) -> None:
    landed = datetime.now(UTC)
    land(problem, "file", content)
    await_that("gold is published", lambda: nothing_pending(problem), seconds=PATIENCE_SECONDS)
    for stage in ("transform", "ingest_files"):
        dag_id = names.dag_id(problem.problem, stage)
        finished = at_rest(airflow, dag_id, landed)
        tries = sum(task.try_number for task in airflow.tasks(finished))
        airflow.clear(finished)
        at_rest(airflow, dag_id, landed)
        again = airflow.tasks(finished)
        assert {task.state for task in again} <= {"success", "skipped"}
        assert sum(task.try_number for task in again) > tries, "it has not run again"
    assert fingerprints(problem) == expected
    told("finished runs of ingestion and transform are cleared, and run again", "tables as they were")


def test_scheduler_and_triggerer_are_killed_mid_search(
    problem: Problem, content: bytes, expected: dict[str, str], airflow: AirflowApi, told: Told
) -> None:
    landed, train = datetime.now(UTC), names.dag_id(problem.problem, "train")
    land(problem, "file", content)
    await_that("gold is published", lambda: nothing_pending(problem), seconds=PATIENCE_SECONDS)
    began = time.monotonic()
    # Reconcile may have queued a run meanwhile. Without `force`, only the first of two finds that a training is due.
    airflow.trigger(train, {})
    airflow.pause(train, paused=False)
    await_that("a trial is done", lambda: trials(problem), seconds=PATIENCE_SECONDS)
    (at_work,) = [run for run in airflow.runs_since(train, landed) if run.state == "running"]
    base = ray_jobs.submission_base(train, at_work.run_id, "tune_hyperparameters")
    kill_service("airflow_scheduler")
    kill_service("airflow_triggerer")
    await_that("it is served", lambda: champions.current(problem.problem), seconds=PATIENCE_SECONDS)
    assert ray_jobs.status(f"{base}-1") == "SUCCEEDED"
    assert ray_jobs.status(f"{base}-2") == "LOST", "the job that ran must be taken up again, not doubled"
    champion = champions.current(problem.problem)
    assert champion is not None
    await_that(
        "every replica serves it",
        lambda: all(fleet.serves(url, problem.problem).version == champion.version for url in fleet.replicas()),
        seconds=PATIENCE_SECONDS,
    )
    assert fingerprints(problem) == expected
    told("scheduler and triggerer killed during `tune_hyperparameters`", "one job; served", time.monotonic() - began)


def at_rest(airflow: AirflowApi, dag_id: str, since: datetime) -> Run:
    """Wait until no run of a DAG is under way; the first that succeeded."""
    await_that(f"{dag_id} is at rest", lambda: not airflow.unfinished(dag_id), seconds=PATIENCE_SECONDS)
    return next(run for run in airflow.runs_since(dag_id, since) if run.state == "success")


def mid_ingest(problem: Problem) -> None:
    """Wait until an attempt has begun to write bronze, and has not published."""
    bronze = names.bronze_files(problem.source_name)
    await_that("bronze is being written", lambda: lake.stray_branches(bronze, -1), seconds=PATIENCE_SECONDS)


def mid_transform(problem: Problem) -> None:
    """Wait until an attempt has begun to write silver, and has not published."""
    silver = names.silver(problem.source_name)
    await_that("silver is being written", lambda: lake.stray_branches(silver, -1), seconds=PATIENCE_SECONDS)


def ends_as_expected(problem: Problem, expected: dict[str, str], told: Told, fault: str) -> None:
    began = time.monotonic()
    await_that("nothing is pending", lambda: nothing_pending(problem), seconds=PATIENCE_SECONDS)
    assert fingerprints(problem) == expected
    told(fault, "tables as undisturbed", time.monotonic() - began)


def trials(problem: Problem) -> list[str]:
    found = object_store.list_objects(get_settings().models_bucket, f"{problem.problem}/runs/")
    return [each.key for each in found if "/trials/" in each.key]
