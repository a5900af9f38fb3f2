"""Training on the real parts: Ray jobs, packages in S3, versions in MLflow; repeated, refused, reproduced."""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from millrace.adapters import champions, lake, package_store, ray_jobs
from millrace.contract import names
from millrace.contract.errors import MillraceError, VerdictError
from millrace.contract.problem import Problem
from millrace.domain.package import open_package
from millrace.steps import run_folder
from millrace.steps.derived_tables import ensure_gold
from millrace.steps.judge_candidate import judge_candidate
from millrace.steps.load_training_data import load_training_data
from millrace.steps.reproduce import reproduce
from millrace.steps.save_results import save_results
from tests.awaiting import await_that
from tests.steps.labelled_gold import drawn_gold
from tests.throwaway import problem_like

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1_200)]
PATIENCE_SECONDS = 500


@dataclass(frozen=True)
class Run:
    problem: Problem
    loaded: dict[str, Any]

    @property
    def run_key(self) -> str:
        return str(self.loaded["run_key"])

    def submit(self, step: str) -> str:
        told = ["--problem", self.problem.problem, "--run-key", self.run_key]
        told += ["--snapshot-id", str(self.loaded["snapshot_id"])]
        base = ray_jobs.submission_base(self.problem.problem, self.run_key, step)
        return ray_jobs.submit(base, ["python", "-m", f"millrace.steps.{step}", *told])

    def read(self, name: str) -> dict[str, Any]:
        content = run_folder.read(self.problem.problem, self.run_key, name)
        assert content is not None
        return content


def succeed(run: Run, step: str) -> None:
    submission_id = run.submit(step)

    def ended() -> bool:
        return ray_jobs.status(submission_id) not in ("PENDING", "RUNNING")

    await_that(f"{submission_id} has ended", ended, seconds=PATIENCE_SECONDS)
    assert ray_jobs.status(submission_id) == "SUCCEEDED", ray_jobs.logs_tail(submission_id)


def publish_gold(problem: Problem, gold: pa.Table) -> int:
    """Put rows into the problem's gold table, as transform does, without Spark."""
    table = ensure_gold(problem)
    schema = lake.catalog().load_table(table).schema().as_arrow()
    counted = gold.append_column("gold_seq", pa.array([1] * gold.num_rows, pa.int64()))
    branch = lake.cut_branch(table, uuid.uuid4().hex[:6])
    lake.append(branch, counted.select(schema.names).cast(schema), {"millrace.gold-seq": "1"})
    return lake.publish(branch)


@pytest.fixture(scope="module")
def problem() -> Iterator[Problem]:
    def more_trials(content: dict[str, Any]) -> None:
        content["training"]["trials"] = 8

    with problem_like("diabetes", more_trials) as made:
        publish_gold(made, drawn_gold(made, 1_500))
        yield made
        with suppress(MillraceError):
            lake.drop_table(names.gold(made.problem))


@pytest.fixture
def run(problem: Problem) -> Run:
    return Run(problem, load_training_data(problem, run_key=f"test_{uuid.uuid4().hex[:6]}"))


@pytest.fixture(scope="module")
def trained(problem: Problem) -> Run:
    made = Run(problem, load_training_data(problem, run_key=f"test_{uuid.uuid4().hex[:6]}"))
    succeed(made, "tune")
    succeed(made, "train_final_model")
    return made


def test_what_a_run_trains_on_stays_what_it_was(problem: Problem, run: Run) -> None:
    publish_gold(problem, drawn_gold(problem, 30, seed=9))
    assert load_training_data(problem, run_key=run.run_key) == run.loaded
    other = load_training_data(problem, run_key=f"test_{uuid.uuid4().hex[:6]}")
    assert other["snapshot_id"] != run.loaded["snapshot_id"]


def test_a_run_becomes_a_judged_and_reproducible_version(trained: Run) -> None:
    problem = trained.problem
    saved = save_results(problem, run_key=trained.run_key)
    assert save_results(problem, run_key=trained.run_key) == saved
    version = int(saved["version"])
    registered = champions.registration(problem.problem, version)
    assert registered["content_hash"] == saved["content_hash"]
    assert registered["labelled_rows"] == trained.loaded["labelled_rows"]
    package = open_package(package_store.get(saved["uri"]))
    assert package.manifest.provenance["gold_snapshot_id"] == trained.loaded["snapshot_id"]

    verdict = judge_candidate(problem, version)
    assert verdict["passed"]
    assert {"auc", "calibration", "suspiciously_good", "latency"} <= {one["name"] for one in verdict["conditions"]}
    assert champions.state_of(problem.problem, version) == "passed"
    assert judge_candidate(problem, version) == verdict
    _, judged = champions.transitions(problem.problem, version)
    assert judged.detail is not None
    assert judged.detail["champion_version"] is None, "there was no champion to compare with"

    again = reproduce(problem.problem, version)
    assert again["same"], again["different_files"]


def test_a_finished_step_is_not_done_again(trained: Run) -> None:
    before = trained.read(run_folder.TUNING), trained.read(run_folder.TRAINING)
    succeed(trained, "tune")
    succeed(trained, "train_final_model")
    assert (trained.read(run_folder.TUNING), trained.read(run_folder.TRAINING)) == before
    assert len(before[0]["trials"]) == 8


def test_a_refused_version_says_which_condition_value_and_limit(trained: Run) -> None:
    problem = trained.problem
    strict = problem.model_copy(update={"gate": problem.gate.model_copy(update={"min_auc": 0.999})})
    # Another run of the same results, under a contract that asks too much.
    run_key = f"{trained.run_key}_strict"
    for name in (run_folder.TUNING, run_folder.TRAINING):
        run_folder.write(problem.problem, run_key, name, trained.read(name))
    run_folder.write(problem.problem, run_key, run_folder.CONTRACT, strict.model_dump(mode="json"))
    version = int(save_results(problem, run_key=run_key)["version"])
    for _ in range(2):
        with pytest.raises(VerdictError) as caught:
            judge_candidate(problem, version)
        assert "auc = 0." in str(caught.value)
        assert "0.999" in str(caught.value)
    assert champions.state_of(problem.problem, version) == "refused"
    assert len(champions.transitions(problem.problem, version)) == 2
