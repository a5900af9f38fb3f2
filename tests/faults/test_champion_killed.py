"""`kill -9` of a deployment, at each point between the decision and the last replica: the next try completes it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from millrace.adapters import champions, fleet, object_store, package_store
from millrace.contract.loading import get_problem
from millrace.domain.package import content_hash
from millrace.settings import ROOT, get_settings
from millrace.steps.roll_out import move_champion, roll_out
from tests.awaiting import await_that
from tests.control_rows import forget, throwaway_problem
from tests.domain.sample_package import sample_package
from tests.faults.conftest import Told
from tests.faults.victims import PATIENCE_SECONDS, a_victim, kill, with_environment
from tests.faults.waiting import held, somebody_waits

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture
def problem() -> Iterator[str]:
    """Version 1 is in force on every replica, version 2 has passed its gate."""
    name = throwaway_problem()
    try:
        for version in (1, 2):
            register(name, version)
        roll_out(name, 1, actor="tests", reason="the first")
        yield name
    finally:
        forget(name)
        object_store.delete_prefix(get_settings().models_bucket, f"{name}/")


def register(problem: str, version: int) -> None:
    """A version with a package of its own content, as training leaves it."""
    shipped = get_problem("diabetes", ROOT / "include" / "problems")
    files = sample_package(shipped.model_copy(update={"problem": problem}), seed=version)
    detail = {"uri": package_store.put(problem, files), "content_hash": content_hash(files), "gold_snapshot": version}
    champions.record_transition(problem, version, "registered", "tests", "trained", detail)
    champions.record_transition(problem, version, "passed", "tests", "judged")


@contextmanager
def silent_server(setting: str, value: str) -> Iterator[socket.socket]:
    """Somebody who takes connections and never answers, and is what a setting names to whoever starts meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_SECONDS)
        with with_environment({setting: value.format(f"http://127.0.0.1:{server.getsockname()[1]}")}):
            yield server


def in_force(problem: str) -> int:
    champion = champions.current(problem)
    assert champion is not None
    return champion.version


def completes(problem: str) -> None:
    """Deploying again ends with version 2 on every replica, moved once."""
    roll_out(problem, 2, actor="tests", reason="again")
    assert {fleet.serves(url, problem).version for url in fleet.replicas()} == {2}
    assert [(one.version, one.generation) for one in champions.history(problem)] == [(2, 2), (1, 1)]
    states = [(step.version, step.state) for step in champions.transitions(problem)]
    assert states[-2:] == [(1, "retired"), (2, "champion")]
    assert states.count((2, "champion")) == 1


def test_killed_within_the_move(problem: str, told: Told) -> None:
    row = "SELECT FROM control.champion WHERE problem = %s FOR UPDATE"
    with (
        held(row, [problem]) as holder,
        a_victim(move_champion, problem, 2, actor="tests", reason="killed") as victim,
    ):
        await_that("it moves the champion", lambda: somebody_waits(holder), seconds=PATIENCE_SECONDS)
        kill(victim)
        assert in_force(problem) == 1
    assert len(champions.history(problem)) == 1
    assert champions.state_of(problem, 2) == "passed"
    completes(problem)
    told("`move_champion` killed in its transaction", "the old version was in force whole; moved once by the retry")


def test_killed_between_the_move_and_the_alias(problem: str, told: Told) -> None:
    with (
        silent_server("MILLRACE_MLFLOW_TRACKING_URI", "{}") as mlflow,
        a_victim(move_champion, problem, 2, actor="tests", reason="killed") as victim,
    ):
        mlflow.accept()
        kill(victim)
    assert in_force(problem) == 2
    again = move_champion(problem, 2, actor="tests", reason="again")
    assert (again["moved"], again["previous"]["version"]) == (False, 1), "a rollout that fails can still be undone"
    completes(problem)
    told("`move_champion` killed before MLflow's alias", "the new version was in force; the retry moved nothing twice")


def test_killed_while_it_waits_for_the_fleet(problem: str, told: Told) -> None:
    with (
        silent_server("MILLRACE_SERVING_ADDRESSES", '["{}"]') as replica,
        a_victim(roll_out, problem, 2, actor="tests", reason="killed") as victim,
    ):
        replica.accept()
        kill(victim)
    assert in_force(problem) == 2
    completes(problem)
    told("a deployment killed before the fleet followed", "the fleet followed; the retry proved it and moved nothing")
