"""A file nobody has described becomes a served model, as `docs/how-to/onboard-a-file.md` tells it."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from millrace.adapters import champions, lake
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract import names
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.demo.follow import Journey, advance
from millrace.settings import ROOT, get_settings
from tests.awaiting import await_that
from tests.journeys.reader import Reader, reader_of
from tests.tables import gold_keys

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
PAGE = ROOT / "docs" / "how-to" / "onboard-a-file.md"
ORDERS = 2_000


@pytest.fixture(scope="module")
def name() -> str:
    return f"returns_{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="module")
def reader(name: str, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return reader_of(PAGE, {"returns": name}, tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="module")
def problem(airflow: AirflowApi, reader: Reader, name: str) -> Iterator[Problem]:
    """Drafted and decided as the page says."""
    path = get_settings().problems_dir / f"{name}.yaml"
    try:
        reader.run("make-a-file")
        reader.run("draft")
        reader.edit("edit", path)
        assert f"✓ {name}" in reader.run("check")
        yield load_problem(path)
    finally:
        path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def served(airflow: AirflowApi, reader: Reader, problem: Problem) -> None:
    journey = Journey(problem.problem, "ingest_files", since=datetime.now(UTC))
    reader.run("land")

    def arrived() -> bool:
        advance(journey, airflow)
        return journey.stage is None

    await_that(f"{problem.problem} is served", arrived, seconds=600)


def test_every_row_of_an_unseen_file_passes_the_contract_drafted_from_it(problem: Problem, served: None) -> None:
    assert len(gold_keys(problem)) == ORDERS
    assert lake.count(names.quarantine(problem.source_name)) == 0
    assert champions.current(problem.problem) is not None


def test_the_served_model_answers(reader: Reader, problem: Problem, served: None) -> None:
    told = reader.run("ask")
    (prediction,) = json.loads(told[told.index("{") :])["predictions"]
    assert 0 <= prediction["probability"] <= 1
    assert {factor["name"] for factor in prediction["contributing_factors"]} <= set(problem.input_columns())
