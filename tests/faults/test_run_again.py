"""A task that succeeded is run again, with what the tasks before it told then: nothing moves."""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake, warehouse
from millrace.contract.problem import Problem
from millrace.orchestration.attempts import Attempt
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.check_gold_data import check_gold_data
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data
from millrace.steps.lake_tables import lake_tables
from millrace.steps.load_warehouse import load_warehouse
from millrace.steps.publish_gold_data import publish_gold_data
from millrace.steps.transform_data import transform_data
from tests.faults import sales
from tests.faults.conftest import Told
from tests.tables import fingerprints

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
Facts = dict[str, Any]


def test_tasks_that_succeeded_change_nothing_when_they_are_run_again(calm: sales.Calm, told: Told) -> None:
    with sales.sales() as problem, sales.session() as spark:
        runs = []
        for number in range(2):
            sales.land(problem, number)
            runs.append(run(spark, problem, f"run-{number}", attempt=f"file-{number}"))
        before = state(problem)
        # The older run last: what it knows is history by now.
        for number in (1, 0):
            run(spark, problem, f"run-{number}", attempt=f"again-{number}", told=runs[number])
            assert state(problem) == before
        assert fingerprints(problem) == calm[1]
    told("each task of two runs again, after it had succeeded", "no table moved")


def run(spark: SparkSession, problem: Problem, run_id: str, *, attempt: str, told: Facts | None = None) -> Facts:
    """The tasks of an ingestion and a transform, in order; what each told.

    Args:
        told: What they told in an earlier try, which each task is given then: as if it alone had been cleared.
    """
    now: Facts = {}
    given = told or now
    tried = Attempt(attempt=attempt, run_id=run_id)
    now["ingested"] = ingest_raw_data(problem, **tried)
    check_raw_data(problem, given["ingested"])
    now["transformed"] = transform_data(spark, problem, **tried)
    now["checked"] = check_silver_data(spark, problem, given["transformed"])
    now["built"] = build_gold_data(spark, problem, given["checked"], **tried)
    check_gold_data(spark, problem, given["built"], given["checked"])
    publish_gold_data(problem, given["built"], given["checked"])
    load_warehouse(problem)
    return now


def state(problem: Problem) -> list[lake.Head | warehouse.Loaded | None]:
    """Where every table stands."""
    return [*(lake.head(table) for table in lake_tables(problem)), warehouse.loaded(problem.problem)]
