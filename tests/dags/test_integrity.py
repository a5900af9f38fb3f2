"""What Airflow sees when it reads the DAG files of the shipped problems: complete, light, broken in one place only."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from millrace.contract import names
from millrace.contract.loading import load_problems
from millrace.settings import ROOT
from tests.throwaway import SHIPPED

PROBLEMS, _ = load_problems(SHIPPED)
HEAVY = {"great_expectations", "mlflow", "numpy", "pandas", "pyarrow", "pyiceberg", "pyspark", "ray", "sklearn"}
TASKS = {
    "extract": ["check_connection", "extract_table"],
    "ingest_files": ["check_connection", "ingest_raw_data", "quality_check_raw_data"],
    "ingest_changes": ["check_connection", "wait_for_changes", "ingest_changes"],
    "transform": [
        "check_connection",
        "transform_data",
        "quality_check_silver_data",
        "build_gold_data",
        "quality_check_gold_data",
        "publish_gold_data",
        "load_warehouse",
        "run_report",
    ],
    "train": [
        "check_connection",
        "load_training_data",
        "tune_hyperparameters",
        "train_final_model",
        "save_results",
        "judge_candidate",
        "run_report",
    ],
    "deploy": [
        "check_connection",
        "verify_package",
        "move_champion",
        "await_fleet",
        "smoke_test",
        "put_back",
        "run_report",
    ],
}
FOR_ALL = ["reconcile", "maintenance"]
"""DAGs that look after every problem."""
EVERY_STAGE = [(name, stage) for name, problem in PROBLEMS.items() for stage in problem.stages]
REPORTED = [each for each in EVERY_STAGE if not each[1].startswith("ingest_")]


def describe(problems_dir: Path) -> dict[str, Any]:
    """What a fresh process finds when it reads the DAG files, with the problems of this folder."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.dags.describe_dags"],
        check=False,
        cwd=ROOT,
        env=os.environ | {"MILLRACE_PROBLEMS_DIR": str(problems_dir)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return describe(SHIPPED)


def test_every_stage_of_every_problem_has_its_dag(found: dict[str, Any]) -> None:
    assert found["errors"] == {}
    assert set(found["dags"]) == {*FOR_ALL, *(names.dag_id(*each) for each in EVERY_STAGE)}


def test_reading_the_dag_files_imports_nothing_heavy(found: dict[str, Any]) -> None:
    assert not HEAVY & set(found["modules"])


@pytest.mark.parametrize(("problem", "stage"), EVERY_STAGE)
def test_a_dag_tells_what_it_is(found: dict[str, Any], problem: str, stage: str) -> None:
    dag, contract = found["dags"][names.dag_id(problem, stage)], PROBLEMS[problem]
    assert dag["title"] == names.dag_title(contract.title, stage)
    assert {f"problem:{problem}", f"stage:{stage}"} <= set(dag["tags"])
    assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)
    for fact in (
        contract.title,
        contract.description,
        f"{problem}.yaml",
        contract.label.in_words(),
        *contract.columns(),
    ):
        assert fact in dag["doc"]


@pytest.mark.parametrize(("problem", "stage"), EVERY_STAGE)
def test_a_dag_has_the_tasks_that_readers_expect(found: dict[str, Any], problem: str, stage: str) -> None:
    tasks = found["dags"][names.dag_id(problem, stage)]["tasks"]
    assert [name for name in TASKS[stage] if name not in tasks] == []
    first, *following = [name for name in TASKS[stage] if name in tasks]
    for name in following:
        assert first in upstream_of(name, tasks), f"{name} does not wait for {first}"


@pytest.mark.parametrize(("problem", "stage"), REPORTED)
def test_the_report_waits_for_every_task_and_decides_nothing(found: dict[str, Any], problem: str, stage: str) -> None:
    tasks = found["dags"][names.dag_id(problem, stage)]["tasks"]
    assert upstream_of("run_report", tasks) == set(tasks) - {"run_report"}
    assert [name for name, task in tasks.items() if not task["decides_the_run"]] == ["run_report"]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_star_is_loaded_where_a_contract_declares_one(found: dict[str, Any], problem: str) -> None:
    dag, section = found["dags"][names.dag_id(problem, "transform")], PROBLEMS[problem].warehouse
    assert ("load_star_schema" in dag["tasks"]) == (section is not None)
    if section is not None:
        assert dag["tasks"]["load_star_schema"]["upstream"] == ["publish_gold_data"]
        assert f"warehouse.fact_{section.fact.name}" in dag["doc"]


@pytest.mark.parametrize("dag_id", [*FOR_ALL, *(names.dag_id(*each) for each in EVERY_STAGE)])
def test_a_fault_is_tried_again_with_growing_pauses(found: dict[str, Any], dag_id: str) -> None:
    for task in found["dags"][dag_id]["tasks"].values():
        assert task["owner"] not in ("", "airflow")
        assert task["retries"] >= 2
        assert task["backoff"]
        assert task["max_retry_delay_seconds"]
        assert task["timeout_seconds"]


@pytest.mark.parametrize(("problem", "stage"), EVERY_STAGE)
def test_params_say_what_they_take(found: dict[str, Any], problem: str, stage: str) -> None:
    for name, schema in found["dags"][names.dag_id(problem, stage)]["params"].items():
        assert "type" in schema, f"param {name} has no JSON schema"


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_asset_graph_leads_from_landing_to_champion(found: dict[str, Any], problem: str) -> None:
    reached, dags = {names.landing_asset(PROBLEMS[problem].source_name)}, list(found["dags"].values())
    while woken := [dag for dag in dags if reached & set(dag["waits_for"])]:
        dags = [dag for dag in dags if dag not in woken]
        reached.update(asset for dag in woken for task in dag["tasks"].values() for asset in task["outlets"])
    assert names.champion_asset(problem) in reached


@pytest.mark.parametrize("problem", [name for name, one in PROBLEMS.items() if one.topics])
def test_topics_wake_their_own_dag_which_wakes_transform(found: dict[str, Any], problem: str) -> None:
    source, dags = PROBLEMS[problem].source_name, found["dags"]
    stage = dags[names.dag_id(problem, "ingest_changes")]
    assert stage["waits_for"] == [names.changes_asset(source)]
    assert stage["tasks"]["ingest_changes"]["outlets"] == [names.bronze_asset(source)]
    assert stage["tasks"]["ingest_changes"]["pool"] == "spark"


def test_a_broken_problem_file_breaks_one_thing_only(tmp_path: Path) -> None:
    text = (SHIPPED / "diabetes.yaml").read_text(encoding="utf-8")
    (tmp_path / "diabetes.yaml").write_text(text, encoding="utf-8")
    broken = text.replace("problem: diabetes", "problem: broken").replace("owner:", "ovner:")
    (tmp_path / "broken.yaml").write_text(broken, encoding="utf-8")
    found = describe(tmp_path)
    assert list(found["errors"]) == ["invalid_problems.py"]
    assert "broken.yaml:4" in found["errors"]["invalid_problems.py"]
    assert 'did you mean "owner"?' in found["errors"]["invalid_problems.py"]
    assert set(found["dags"]) == {*FOR_ALL, *(names.dag_id("diabetes", stage) for stage in PROBLEMS["diabetes"].stages)}


def upstream_of(name: str, tasks: dict[str, Any]) -> set[str]:
    before = set(tasks[name]["upstream"])
    return before.union(*(upstream_of(each, tasks) for each in before))
