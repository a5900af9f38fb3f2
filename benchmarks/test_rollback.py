"""A rollback on two real replicas: from the command's first line to the last replica that serves the former version."""

import statistics
import time
from collections.abc import Iterator

import pytest

from millrace.adapters import champions, fleet, object_store, package_store, problem_holds
from millrace.contract.loading import get_problem
from millrace.domain.package import content_hash
from millrace.settings import ROOT, get_settings
from millrace.steps import roll_back as rolling_back
from millrace.steps.move_champion import put_in_force
from millrace.steps.prove_again import prove_again
from millrace.steps.roll_back import roll_back
from millrace.steps.roll_out import await_fleet
from tests.control_rows import forget, throwaway_problem
from tests.domain.sample_package import sample_package

pytestmark = [pytest.mark.bench, pytest.mark.stack]
LIMIT_SECONDS = 5.0
ROUNDS = 5
GOOD, BAD = 1, 2


@pytest.fixture
def problem() -> Iterator[str]:
    name = throwaway_problem()
    shipped = get_problem("loan", ROOT / "include" / "problems").model_copy(update={"problem": name})
    for version in (GOOD, BAD):
        files = sample_package(shipped, seed=version)
        detail = {"uri": package_store.put(name, files), "content_hash": content_hash(files), "gold_snapshot": version}
        champions.record_transition(name, version, "registered", "bench", "trained", detail)
        champions.record_transition(name, version, "passed", "bench", "judged")
        deploy(name, version)
    yield name
    forget(name)
    object_store.delete_prefix(get_settings().models_bucket, f"{name}/")


def deploy(problem: str, version: int) -> None:
    moved = put_in_force(problem, version, actor="bench", reason="because", by_name=True)
    await_fleet(problem, moved["generation"])


def test_the_fleet_serves_the_former_version_within_seconds(problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's alias decides nothing and moves after the fleet, so it is not in the time."""
    monkeypatch.setattr(rolling_back, "mirror_alias", lambda *_: True)
    taken, proofs = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        prove_again(problem, GOOD)
        proofs.append(time.perf_counter() - began)
        began = time.perf_counter()
        told = roll_back(problem, actor="bench", reason="wrong")
        taken.append(time.perf_counter() - began)
        assert {fleet.serves(url, problem).version for url in fleet.replicas()} == {GOOD}
        assert told["not_verified"] is None
        problem_holds.release(problem, actor="bench", reason="again")
        champions.release(problem, told["barred"], actor="bench", reason="again")
        deploy(problem, BAD)
    look = get_settings().prediction_reports_seconds
    print(f"\nrollback on {len(fleet.replicas())} replicas, which look every {look:g} s   median s   longest s")
    for what, seconds in {"verified, moved, served by all": taken, "of it: hashes and golden rows": proofs}.items():
        print(f"  {what:56} {statistics.median(seconds):8.2f} {max(seconds):11.2f}")
    assert max(taken) < LIMIT_SECONDS
