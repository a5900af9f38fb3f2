"""Rows of a table that nothing tells the changes of reach gold, as `docs/how-to/extract-a-table.md` tells it."""

import uuid
from collections.abc import Iterator

import pytest
from psycopg import sql

from millrace.adapters import lake, source_table
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract import names
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.settings import ROOT, get_settings
from tests.awaiting import await_that
from tests.extracting import files, keys_of, named, superuser
from tests.journeys.reader import Reader, reader_of
from tests.steps.transforming import removed_afterwards, silver
from tests.tables import gold_keys

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1_200)]
PAGE = ROOT / "docs" / "how-to" / "extract-a-table.md"
VISITS = 400
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    mark = uuid.uuid4().hex[:6]
    named_so = {"visits": f"visits_{mark}", "Visits": f"Visits {mark}"}
    # A table of the terminal's width would be folded.
    return reader_of(PAGE, named_so, tmp_path_factory.mktemp("reader"), {"COLUMNS": "300"})


@pytest.fixture(scope="module")
def problem(airflow: AirflowApi, reader: Reader) -> Iterator[Problem]:
    """Its DAGs and its table are there; no model is trained, which is another journey's."""
    text = reader.blocks["include/problems/visits.yaml"]
    name = text.split()[1]
    path = get_settings().problems_dir / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    problem = load_problem(path)
    with removed_afterwards(problem):
        try:
            stages = ("extract", "ingest_files", "transform", "train")
            dags = [names.dag_id(name, stage) for stage in stages]
            await_that("its DAGs appear", lambda: all(map(airflow.knows, dags)), seconds=PATIENCE_SECONDS)
            airflow.pause(dags[-1])
            await_that("the keeper makes the table", lambda: _is_there(problem), seconds=60)
            yield problem
        finally:
            path.unlink()
            for dag in dags:
                airflow.pause(dag)
                for run in airflow.unfinished(dag):
                    airflow.end(run)
            with superuser() as connection:
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(named(problem)))


def test_lint_says_that_the_problem_is_fine(reader: Reader, problem: Problem) -> None:
    assert f"✓ {problem.problem}: {len(problem.columns())} columns" in reader.run("check")


def test_what_is_committed_reaches_gold(reader: Reader, problem: Problem) -> None:
    reader.run("write")
    assert "started: " in reader.run("extract")
    await_that("every visit is in gold", lambda: len(gold_keys(problem)) == VISITS, seconds=PATIENCE_SECONDS)
    assert lake.count(names.quarantine(problem.source_name)) == 0
    assert f"{VISITS} rows, all there were" in reader.run("look")


def test_an_update_comes_with_the_next_extract_and_a_delete_does_not(reader: Reader, problem: Problem) -> None:
    before = len(files(problem))
    reader.run("change")
    await_that("the update is in silver", lambda: _fees(problem).get(7) == 99, seconds=PATIENCE_SECONDS)
    assert len(files(problem)) == before + 1
    assert 8 not in keys_of(problem, files(problem)[-1], "visit")
    assert 8 in _fees(problem)
    assert len(gold_keys(problem)) == VISITS


def test_every_row_lands_when_it_is_asked_for(reader: Reader, problem: Problem) -> None:
    before = len(files(problem))
    reader.run("full")
    await_that("another file lands", lambda: len(files(problem)) == before + 1, seconds=PATIENCE_SECONDS)
    assert len(keys_of(problem, files(problem)[-1], "visit")) == VISITS - 1


def _fees(problem: Problem) -> dict[int, float]:
    return {row["visit"]: row["fee"] for row in silver(problem).values()}


def _is_there(problem: Problem) -> bool:
    with source_table.snapshot() as connection:
        return source_table.columns(connection, str(problem.extract_table)) is not None
