"""Stage 0 of one problem, run to its end on the real stack: from rows in a table to rows of bronze."""

from collections.abc import Iterator

import pytest
from psycopg import sql

from millrace.adapters import lake, source_table
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.orchestration import due
from millrace.steps.pending import pending_extract, pending_ingest_files
from tests.awaiting import await_that
from tests.dags.running import load_dag, run_stage
from tests.extracting import files, insert, named, sales, superuser, write
from tests.steps.transforming import removed_afterwards
from tests.throwaway import problem_from

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def problem() -> Iterator[Problem]:
    """Its file is there while the tests run, so that the DAG is, and the keeper makes the table."""
    made = sales("dag_extract", watermark="changed_at", schedule="30 4 * * *")
    content = made.model_dump(mode="json", exclude_defaults=True)
    [source] = content["sources"].values()
    source["extract"] = {"watermark": "changed_at", "schedule": "30 4 * * *"}
    with removed_afterwards(made), problem_from(content) as problem:
        await_that("the keeper makes the table", lambda: _may_read(problem), seconds=60)
        yield problem
    with superuser() as connection:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(named(problem)))


def test_the_dag_runs_when_the_contract_says_and_tells_what_it_reads(problem: Problem) -> None:
    dag = load_dag(names.dag_id(problem.problem, "extract"), "extract")
    assert dag.timetable.expression == "30 4 * * *"
    assert (dag.dag_display_name, dag.max_active_runs) == ("Sales · 0 Extract", 1)
    assert str(problem.extract_table) in str(dag.doc_md)
    assert pending_extract(problem) is not None
    assert "extract" in due.PENDING


def test_rows_of_the_table_land_and_go_the_way_of_files(problem: Problem) -> None:
    insert(problem, "a", "b")
    run = run_stage(problem, "extract")
    assert run.state == "success", run.tasks
    assert run.results["extract_table"]["rows"] == 2
    assert pending_extract(problem) is None
    assert "landed and not ingested" in str(pending_ingest_files(problem))
    ingested = run_stage(problem, "ingest_files")
    assert (ingested.state, ingested.assets) == ("success", [names.bronze_asset(problem.source_name)])
    assert lake.count(names.bronze_files(problem.source_name), where="record == 'row'") == 2

    again = run_stage(problem, "extract")
    assert (again.state, again.results["extract_table"]["path"]) == ("success", None)
    assert run_stage(problem, "extract", full=True).results["extract_table"]["rows"] == 2
    assert len(files(problem)) == 2


def test_a_verdict_is_not_tried_again(problem: Problem) -> None:
    write(problem, "ALTER TABLE {table} DROP size")
    run = run_stage(problem, "extract")
    assert (run.state, run.tasks["extract_table"], run.tries["extract_table"]) == ("failed", "failed", 1)
    assert len(files(problem)) == 2


def _may_read(problem: Problem) -> bool:
    with source_table.snapshot() as connection:
        found = source_table.columns(connection, str(problem.extract_table)) or {}
    return problem.source.columns.keys() <= found.keys() and all(one.may_read for one in found.values())
