"""The Ray head dies in the middle of a search, and with it the job, its driver and its workers."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from millrace.adapters import champions, fleet, lake, object_store, supervised
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from tests.awaiting import await_that
from tests.dags.running import run_stage
from tests.faults.conftest import Undisturbed
from tests.tables import fingerprints

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


def test_a_search_goes_on_where_a_killed_one_stopped(undisturbed: Undisturbed) -> None:
    problem = undisturbed.problem
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_ray_mid_search, problem)
        trained = run_stage(problem, "train")
        kept = killing.result()
    assert trained.state == "success", trained.tasks
    assert trained.tries["tune_hyperparameters"] > 1
    done = trials(problem)
    assert len(done) == problem.training.trials
    assert kept.items() <= done.items(), "what was done before the kill is not done again"
    assert run_stage(problem, "deploy").state == "success"
    champion = champions.current(problem.problem)
    assert champion is not None
    assert champion.version == trained.results["save_results"]
    (row,) = lake.read(names.gold(problem.problem), columns=tuple(problem.request_columns())).slice(0, 1).to_pylist()
    for url in fleet.replicas():
        assert fleet.predict(url, problem.problem, [row])["predictions"]
    assert fingerprints(problem) == undisturbed.fingerprints[1]


def kill_ray_mid_search(problem: Problem) -> dict[str, str]:
    """Kill the head as soon as two trials are done; returns the trials that were."""
    await_that("two trials are done", lambda: len(trials(problem)) >= 2, seconds=300)
    head = supervised.pid("ray")
    assert head is not None
    os.kill(head, signal.SIGKILL)
    kept = trials(problem)
    assert len(kept) < problem.training.trials, "the search was over before the kill"
    return kept


def trials(problem: Problem) -> dict[str, str]:
    """Finished trials that the search wrote: name → ETag."""
    found = object_store.list_objects(get_settings().models_bucket, f"{problem.problem}/runs/")
    return {each.key: each.etag for each in found if "/trials/" in each.key}
