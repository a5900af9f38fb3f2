"""The DAG that keeps the lake small, run to its end on the real stack."""

from collections.abc import Iterator

import pytest

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from tests.dags.running import run_dag, run_stage
from tests.tables import land_simulated
from tests.throwaway import problem_like

pytestmark = pytest.mark.stack


@pytest.fixture
def problem() -> Iterator[Problem]:
    with problem_like("diabetes") as problem:
        land_simulated(problem, rows=50)
        assert run_stage(problem, "ingest_files").state == "success"
        yield problem


def test_it_maintains_the_tables_that_are_asked_for_and_tells_what_it_freed(problem: Problem) -> None:
    table = names.bronze_files(problem.source_name)
    before = lake.fingerprint(table, ("path", "row_number", "raw", "fields"))
    run = run_dag("maintenance", "maintenance", tables=[table])
    assert run.state == "success", run.tasks
    told = run.results["tell_what_it_freed"]
    assert (told["tables"], told["left"]) == (1, {})
    assert told["files_after"] <= told["files_before"]
    assert lake.fingerprint(table, ("path", "row_number", "raw", "fields")) == before


def test_a_table_that_is_not_there_is_told(problem: Problem, caplog: pytest.LogCaptureFixture) -> None:
    run = run_dag("maintenance", "maintenance", tables=[names.bronze_files(problem.source_name)[:-1]])
    assert run.state == "failed"
    assert run.tasks["list_tables"] == "failed"
