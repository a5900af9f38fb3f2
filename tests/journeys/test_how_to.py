"""The whole journey, as `docs/how-to/add-a-problem.md` tells it: its files and commands, on a running Airflow.

A problem that the repository does not ship goes from one YAML file and one CSV file to a served prediction; then the
same way again, which must change nothing.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from docs.drift.markdown import blocks_of
from millrace.adapters import champions, fleet, lake
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract import names
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.demo.follow import FROM_FILES, Journey, advance
from millrace.settings import ROOT, get_settings
from tests.awaiting import await_that
from tests.journeys.reader import Reader, reader_of
from tests.tables import fingerprints, gold_keys

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1_200)]
HOW_TO = ROOT / "docs" / "how-to" / "add-a-problem.md"
ROWS = 4_000
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class HowTo:
    """Somebody who reads the page, and the names that the problem and its source have for them."""

    name: str
    source: str
    reader: Reader

    def make_a_file(self) -> None:
        """As the page says, for the page's own name: a simulated world follows from it, and must not be a new one."""
        own, folder = {block.title: block.text for block in blocks_of(HOW_TO)}, self.reader.folder
        (folder / "churn.yaml").write_text(own["include/problems/churn.yaml"], encoding="utf-8")
        self.reader.run_text(f"export MILLRACE_PROBLEMS_DIR={folder}; {own['make-a-file']}")
        (folder / "customers.csv").rename(folder / f"{self.source}.csv")


@pytest.fixture(scope="module")
def how_to(tmp_path_factory: pytest.TempPathFactory) -> HowTo:
    mark = uuid.uuid4().hex[:6]
    named = {"churn": f"churn_{mark}", "Churn": f"Churn {mark}", "customers": f"customers_{mark}"}
    reader = reader_of(HOW_TO, named, tmp_path_factory.mktemp("reader"))
    return HowTo(named["churn"], named["customers"], reader)


@pytest.fixture(scope="module")
def problem(airflow: AirflowApi, how_to: HowTo) -> Iterator[Problem]:
    path = get_settings().problems_dir / f"{how_to.name}.yaml"
    path.write_text(how_to.reader.blocks["include/problems/churn.yaml"], encoding="utf-8")
    yield load_problem(path)
    path.unlink()


@pytest.fixture(scope="module")
def shown(airflow: AirflowApi, problem: Problem) -> list[str]:
    """The DAGs of the new file, once the running Airflow knows them all."""
    dags = [names.dag_id(problem.problem, stage) for stage in FROM_FILES]
    await_that("its DAGs appear", lambda: all(map(airflow.knows, dags)), seconds=PATIENCE_SECONDS)
    return dags


@pytest.fixture(scope="module")
def journey(airflow: AirflowApi, how_to: HowTo, problem: Problem, shown: list[str]) -> Journey:
    """The first time through every stage."""
    how_to.make_a_file()
    journey = Journey(problem.problem, "ingest_files", since=datetime.now(UTC))
    how_to.reader.run("land")

    def arrived() -> bool:
        advance(journey, airflow)
        return journey.stage is None

    await_that(f"{problem.problem} is served", arrived, seconds=2 * PATIENCE_SECONDS)
    return journey


def test_lint_says_that_the_new_problem_is_fine(how_to: HowTo, problem: Problem) -> None:
    assert f"✓ {problem.problem}: {len(problem.columns())} columns" in how_to.reader.run("check")


def test_a_new_problem_file_appears_in_a_running_airflow(problem: Problem, shown: list[str]) -> None:
    assert len(shown) == len(FROM_FILES)
    assert all(dag.startswith(problem.problem) for dag in shown)


def test_a_landed_file_becomes_a_served_model(problem: Problem, journey: Journey) -> None:
    assert list(journey.runs) == list(FROM_FILES)
    assert lake.count(names.bronze_files(problem.source_name), where="record == 'row'") == ROWS
    assert 0.8 * ROWS < len(gold_keys(problem)) <= 0.9 * ROWS, "one row in ten is broken, a few repeat a key"
    assert champions.current(problem.problem) is not None


def test_the_served_model_answers(how_to: HowTo, problem: Problem, journey: Journey) -> None:
    told = how_to.reader.run("ask")
    (prediction,) = json.loads(told[told.index("{") :])["predictions"]
    assert 0 <= prediction["probability"] <= 1
    assert prediction["contributing_factors"]


def test_a_fleet_serves_the_new_problem_without_a_restart(problem: Problem, journey: Journey) -> None:
    champion = champions.current(problem.problem)
    assert champion is not None
    for url in fleet.replicas():
        assert fleet.serves(url, problem.problem).content_hash == champion.content_hash


def test_the_same_way_again_changes_nothing(
    airflow: AirflowApi, how_to: HowTo, problem: Problem, journey: Journey
) -> None:
    before, champion = fingerprints(problem), champions.current(problem.problem)
    tables = [names.bronze_files(problem.source_name), names.silver(problem.source_name), names.gold(problem.problem)]
    heads = [lake.head(table) for table in tables]
    how_to.reader.run("land")
    for stage in FROM_FILES:
        dag_id = names.dag_id(problem.problem, stage)
        run_id = airflow.trigger(dag_id, {})

        def ended(dag_id: str = dag_id, run_id: str = run_id) -> bool:
            return airflow.run(dag_id, run_id).state in ("success", "failed")

        await_that(f"{run_id} of {dag_id} ends", ended, seconds=PATIENCE_SECONDS)
        assert airflow.run(dag_id, run_id).state == "success"
    assert [lake.head(table) for table in tables] == heads
    assert fingerprints(problem) == before
    assert champions.current(problem.problem) == champion
