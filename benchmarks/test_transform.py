"""A landed file of 45,000 rows → published gold, through a running Airflow; DuckDB doing the same work beside it."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import duckdb_way, report
from millrace.adapters import connect, lake
from millrace.adapters.airflow_api import AirflowApi, Run, TaskState
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.orchestration.attempts import Attempt
from millrace.settings import ROOT
from millrace.simulation.files import match_real_files, simulate_file
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.check_gold_data import check_gold_data
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data
from millrace.steps.publish_gold_data import publish_gold_data
from millrace.steps.transform_data import transform_data
from tests.awaiting import await_that
from tests.tables import land
from tests.throwaway import problem_like, twin_of

pytestmark = [pytest.mark.bench, pytest.mark.stack, pytest.mark.timeout(900)]
GOAL_SECONDS = 90
ROWS = 45_000
REAL_DATA = ROOT.parent / "shared" / "data"
# The task of each stage after which its work can be seen.
LAST = {"ingest_files": "quality_check_raw_data", "transform": "publish_gold_data"}


@dataclass(frozen=True)
class Passage:
    """One file on its way to gold."""

    landed: datetime
    stages: dict[str, tuple[Run, list[TaskState]]]

    @property
    def seconds(self) -> float:
        """From landing to published gold."""
        return (self.published - self.landed).total_seconds()

    @property
    def published(self) -> datetime:
        end = next(task.end for task in self.stages["transform"][1] if task.task_id == "publish_gold_data")
        assert end is not None
        return end

    @property
    def tasks(self) -> list[TaskState]:
        """Tasks that had ended when gold was published."""
        return [task for _, tasks in self.stages.values() for task in tasks if task.end and task.end <= self.published]


@pytest.fixture(scope="module")
def problem(airflow: AirflowApi) -> Iterator[Problem]:
    with problem_like("loan") as problem:
        # The watcher is the last to come up, and training on what is published would share the two cores.
        train = names.dag_id(problem.problem, "train")
        await_that("its DAGs appear", lambda: airflow.knows(train), seconds=60)
        airflow.pause(train)
        yield problem


def test_a_file_to_published_gold(airflow: AirflowApi, problem: Problem, tmp_path: Path) -> None:
    passage_of(simulate_file(problem, rows=2_000, seed=0, first_row=9_000_000).content, "warm", problem, airflow)
    content, kind = the_file(problem)
    passage = passage_of(content, "measured", problem, airflow)
    alone, rows = in_one_process(problem, content)
    file = tmp_path / "loan.csv"
    file.write_bytes(content)
    duck, gold, quarantined = duckdb_way.run(problem, file, tmp_path)
    report.write(
        "transform",
        "45,000 loan rows: a landed file to published gold",
        {
            "rows": f"{len(content.splitlines()) - 1:,} ({kind})",
            "**in Airflow, landing to published gold**": f"**{passage.seconds:.1f} s** (goal {GOAL_SECONDS} s)",
            **times_of(passage),
            "the same steps one after the other in one process": f"{alone:.1f} s",
            "**Airflow's share**: scheduling, a process and its imports for each task": (
                f"**{passage.seconds - alone:.1f} s** ({1 - alone / passage.seconds:.0%})"
            ),
            "DuckDB: read, cast, judge, deduplicate, write Parquet": (
                f"{duck:.1f} s ({gold:,} rows of gold, {quarantined:,} quarantined)"
            ),
        },
        how=(
            "Through a running Airflow, on a Spark server that has taken in another file before. Bronze, quarantine, "
            "silver and gold are each written to a branch of Iceberg, judged and published. DuckDB does the bare work "
            "in one process on the local disk, for scale: no history, no branches, nothing to merge with."
        ),
    )
    assert rows == gold, "DuckDB must do the same work"
    assert passage.seconds <= GOAL_SECONDS


def the_file(problem: Problem) -> tuple[bytes, str]:
    """The real loan file where it is, otherwise a simulated one of as many rows."""
    if REAL_DATA.is_dir():
        return match_real_files(REAL_DATA, [problem])[problem.problem].read_bytes(), "the real file"
    return simulate_file(problem, rows=ROWS, seed=1).content, "simulated"


def passage_of(content: bytes, name: str, problem: Problem, airflow: AirflowApi) -> Passage:
    """Land a file and wait until the warehouse holds it."""
    landed = datetime.now(UTC)
    land(problem, name, content)
    stages: dict[str, tuple[Run, list[TaskState]]] = {}
    for stage, last in LAST.items():
        dag_id = names.dag_id(problem.problem, stage)

        def done(dag_id: str = dag_id, last: str = last) -> tuple[Run, list[TaskState]] | None:
            for run in airflow.runs_since(dag_id, landed):
                assert run.state != "failed", f"{dag_id} {run.run_id} failed"
                tasks = airflow.tasks(run)
                if run.state == "success" and any(t.task_id == last and t.state == "success" for t in tasks):
                    return run, tasks
            return None

        found = await_that(f"{dag_id} has run", done, seconds=400)
        assert found is not None
        stages[stage] = found
    return Passage(landed, stages)


def times_of(passage: Passage) -> dict[str, str]:
    """What took how long on the way through Airflow."""
    ingest, transform = passage.stages["ingest_files"][0], passage.stages["transform"][0]
    assert ingest.start
    assert ingest.end
    assert transform.start
    working = sum(seconds_of(task) for task in passage.tasks)
    seen, handed_over = (ingest.start - passage.landed).total_seconds(), (transform.start - ingest.end).total_seconds()
    told = {
        "until the landed file is seen and a run starts": seen,
        **{
            f"· {stage}: {task.task_id}": seconds_of(task)
            for stage, (_, tasks) in passage.stages.items()
            for task in tasks
            if task in passage.tasks
        },
        "from one DAG to the next": handed_over,
        "between the tasks of a DAG": passage.seconds - working - seen - handed_over,
    }
    return {what: f"{seconds:.1f} s" for what, seconds in told.items()}


def in_one_process(problem: Problem, content: bytes) -> tuple[float, int]:
    """Seconds of the same steps, called one after the other, without Airflow; and the rows of gold."""
    attempt = Attempt(run_id="bench", attempt=uuid.uuid4().hex)
    with twin_of(problem) as twin, connect.session() as spark:
        land(twin, "measured", content)
        began = time.perf_counter()
        check_raw_data(twin, ingest_raw_data(twin, **attempt))
        checked = check_silver_data(spark, twin, transform_data(spark, twin, **attempt))
        built = build_gold_data(spark, twin, checked, **attempt)
        check_gold_data(spark, twin, built, checked)
        publish_gold_data(twin, built, checked)
        return time.perf_counter() - began, lake.count(names.gold(twin.problem))


def seconds_of(task: TaskState) -> float:
    return (task.end - task.start).total_seconds() if task.start and task.end else 0.0
