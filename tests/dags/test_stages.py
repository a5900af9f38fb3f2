"""Each DAG of one problem, run to its end on the real stack, and what it leaves at the seam to the next one."""

import html
import re
from collections.abc import Iterator

import httpx
import pytest

from millrace.adapters import champions, fleet, lake, object_store, registry, replica_reports
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.simulation.files import SimulatedFile
from millrace.steps.pending import PENDING
from tests.awaiting import await_that
from tests.dags.running import FinishedRun, run_dag, run_stage
from tests.tables import gold_keys, land_simulated, served_rows
from tests.throwaway import problem_like

pytestmark = pytest.mark.stack
ROWS = 2_000


@pytest.fixture(scope="module")
def problem() -> Iterator[Problem]:
    with problem_like("diabetes") as problem:
        yield problem


@pytest.fixture(scope="module")
def landed(problem: Problem) -> SimulatedFile:
    return land_simulated(problem, rows=ROWS)


@pytest.fixture(scope="module")
def ingested(problem: Problem, landed: SimulatedFile) -> FinishedRun:
    return run_stage(problem, "ingest_files")


@pytest.fixture(scope="module")
def transformed(problem: Problem, ingested: FinishedRun) -> FinishedRun:
    return run_stage(problem, "transform")


@pytest.fixture(scope="module")
def trained(problem: Problem, transformed: FinishedRun) -> FinishedRun:
    return run_stage(problem, "train")


@pytest.fixture(scope="module")
def deployed(problem: Problem, trained: FinishedRun) -> FinishedRun:
    return run_stage(problem, "deploy")


def test_ingest_files_brings_every_row_to_bronze(problem: Problem, ingested: FinishedRun) -> None:
    assert ingested.state == "success", ingested.tasks
    table = names.bronze_files(problem.source_name)
    assert lake.count(table, where="record == 'row'") == ROWS
    (marker,) = lake.read(table, where="record == 'file'", columns=("status", "rows")).to_pylist()
    assert marker == {"status": "ingested", "rows": ROWS}
    assert ingested.assets == [names.bronze_asset(problem.source_name)]


def test_ingest_files_without_a_new_file_does_nothing(problem: Problem, ingested: FinishedRun) -> None:
    before = lake.head(names.bronze_files(problem.source_name))
    again = run_stage(problem, "ingest_files")
    assert (again.state, again.tasks["ingest_raw_data"], again.assets) == ("success", "skipped", [])
    assert lake.head(names.bronze_files(problem.source_name)) == before


def test_transform_sorts_valid_from_broken(problem: Problem, landed: SimulatedFile, transformed: FinishedRun) -> None:
    assert transformed.state == "success", transformed.tasks
    assert transformed.assets == [names.gold_asset(problem.problem)]
    keys = landed.valid_rows - landed.superseded_rows
    assert lake.count(names.silver(problem.source_name)) == keys
    assert len(gold_keys(problem)) == keys
    reasons = lake.read(names.quarantine(problem.source_name), columns=("reasons",))["reasons"].to_pylist()
    assert len(reasons) == landed.quarantined_rows
    counted = {code: sum(code in each for each in reasons) for code in {code for each in reasons for code in each}}
    assert counted == landed.expected_by_reason


def test_transform_serves_what_gold_holds(problem: Problem, transformed: FinishedRun) -> None:
    columns = ("row_key", *problem.gold_columns(), "label", "gold_seq")
    gold = {row["row_key"]: row for row in lake.read(names.gold(problem.problem), columns=columns).to_pylist()}
    served = {key: {name: row[name] for name in columns} for key, row in served_rows(problem).items()}
    assert served == gold


@pytest.mark.parametrize("check", ["quality_check_silver_data", "quality_check_gold_data"])
def test_a_checkpoint_leaves_a_report_for_people(transformed: FinishedRun, check: str) -> None:
    bucket, _, key = transformed.results[check]["data_docs_uri"].removeprefix("s3://").partition("/")
    report = object_store.client().get_object(Bucket=bucket, Key=key)
    assert b"</html>" in report["Body"].read()


def test_the_report_of_a_transform_adds_its_rows_up(
    problem: Problem, landed: SimulatedFile, transformed: FinishedRun
) -> None:
    assert transformed.tasks["run_report"] == "success"
    page = report_of(problem, "transform", transformed)
    kept = landed.valid_rows - landed.superseded_rows
    for count, words in (
        (kept, f"into {names.silver(problem.source_name)}"),
        (landed.superseded_rows, "gave way to another row of their key"),
        (landed.quarantined_rows, "quarantined"),
    ):
        assert f"<b>{count:,}</b> {words}" in page
    assert kept + landed.superseded_rows + landed.quarantined_rows == ROWS
    assert f"{landed.valid_rows:,} of {ROWS:,} rows from 1 file kept their contract" in page
    for reason, rows in landed.expected_by_reason.items():
        assert re.search(rf">{re.escape(reason)}</code>.*?<span>{rows:,}</span>", page, re.DOTALL)
    for task in ("transform_data", "quality_check_gold_data", "load_warehouse"):
        assert re.search(rf"<td[^>]*>{task}</td>", page), "its time is told"


def test_the_report_of_a_training_shows_gate_search_and_curves(problem: Problem, trained: FinishedRun) -> None:
    page = report_of(problem, "train", trained)
    version = trained.results["save_results"]
    for condition in trained.results["judge_candidate"]["conditions"]:
        assert f">{condition['name']}</td>" in page
    assert page.count("<figure>") == 3
    assert page.count("★ best") == 1
    assert f"millrace reproduce {problem.problem} {version}" in page
    run = registry.run_tags(str(champions.registration(problem.problem, version)["mlflow_run_id"]))
    assert run["millrace.report"] == trained.results["run_report"]["report"]


def test_the_report_of_a_deployment_says_what_moved_who_and_why(
    problem: Problem, trained: FinishedRun, deployed: FinishedRun
) -> None:
    page = report_of(problem, "deploy", deployed)
    version = trained.results["save_results"]
    assert f"Version {version} is the champion, the first of this problem" in page
    assert f"run {deployed.run_id}" in page
    assert all(url in page for url in fleet.replicas())


def test_reports_lead_from_a_deployment_to_the_files(
    problem: Problem, landed: SimulatedFile, transformed: FinishedRun, trained: FinishedRun, deployed: FinishedRun
) -> None:
    of_training, of_transform = (run.results["run_report"]["report"] for run in (trained, transformed))
    assert f'href="{of_training}"' in report_of(problem, "deploy", deployed)
    told = report_of(problem, "train", trained)
    assert f'href="{of_transform}"' in told
    assert "now champion" in told, "written again when its version came into force"
    told = report_of(problem, "transform", transformed)
    assert f'href="{of_training}"' in told, "written again when a model was trained on its gold"
    assert f"{problem.landing_prefix}" in told


def report_of(problem: Problem, stage: str, run: FinishedRun) -> str:
    """The page of a run, as a browser gets it: without a login."""
    url = run.results["run_report"]["report"]
    assert url.endswith(names.run_report(problem.problem, stage, names.run_key(run.run_id)))
    return html.unescape(httpx.get(url).raise_for_status().text)


def test_train_registers_a_judged_candidate(problem: Problem, trained: FinishedRun) -> None:
    assert trained.state == "success", trained.tasks
    assert trained.assets == [names.candidate_asset(problem.problem)]
    version = trained.results["save_results"]
    steps = champions.transitions(problem.problem)
    assert [(step.version, step.state) for step in steps][:2] == [(version, "registered"), (version, "passed")]


def test_train_without_new_rows_does_nothing(problem: Problem, trained: FinishedRun) -> None:
    again = run_stage(problem, "train")
    assert (again.state, again.tasks["tune_hyperparameters"], again.assets) == ("success", "skipped", [])


def test_deploy_puts_the_candidate_in_force_everywhere(
    problem: Problem, trained: FinishedRun, deployed: FinishedRun
) -> None:
    assert deployed.state == "success", deployed.tasks
    assert deployed.tasks["put_back"] == "skipped"
    assert deployed.assets == [names.champion_asset(problem.problem)]
    champion = champions.current(problem.problem)
    assert champion is not None
    assert champion.version == trained.results["save_results"]
    for url in fleet.replicas():
        answer = fleet.serves(url, problem.problem)
        assert (answer.version, answer.generation) == (champion.version, champion.generation)
    # A replica serves first, and reports then.
    await_that(
        "every replica has reported it",
        lambda: {report.version for report in replica_reports.replica_reports(problem.problem)} == {champion.version},
        seconds=60,
    )


def test_the_champion_answers_with_its_factors(problem: Problem, deployed: FinishedRun) -> None:
    columns = tuple(problem.request_columns())
    (row,) = lake.read(names.gold(problem.problem), columns=columns).slice(0, 1).to_pylist()
    for url in fleet.replicas():
        answer = fleet.predict(url, problem.problem, [row])
        (prediction,) = answer["predictions"]
        assert 0 <= prediction["probability"] <= 1
        assert prediction["contributing_factors"]
        assert prediction["prediction_id"]


def test_nothing_is_pending_after_the_whole_way(problem: Problem, deployed: FinishedRun) -> None:
    assert {stage: pending(problem) for stage, pending in PENDING.items()} == dict.fromkeys(PENDING)


def test_reconcile_starts_what_an_event_lost_and_nothing_twice(problem: Problem, deployed: FinishedRun) -> None:
    land_simulated(problem, rows=50, first_row=10_000)
    (due,) = started_for(problem)
    assert due["trigger_dag_id"] == names.dag_id(problem.problem, "ingest_files")
    assert "landed and not ingested" in due["note"]
    assert started_for(problem) == [], "the run that it started is still queued"


def started_for(problem: Problem) -> list[dict[str, str]]:
    """Let reconcile run; returns what it started for a problem."""
    run = run_dag("reconcile", "reconcile")
    assert run.state == "success", run.tasks
    return [each for each in run.results["find_pending"] if each["trigger_dag_id"].startswith(problem.problem)]
