"""A rollout over two real replicas: no request is dropped, and what fails leaves in force what was."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from millrace.adapters import champions, fleet, object_store, package_store, problem_holds, replica_reports
from millrace.adapters.control import control
from millrace.adapters.package_store import StoreAwayError
from millrace.contract.errors import LostRaceError, MillraceError, VerdictError
from millrace.contract.loading import get_problem
from millrace.domain.package import content_hash
from millrace.settings import ROOT, get_settings
from millrace.steps import roll_out
from millrace.steps.roll_back import roll_back
from tests.awaiting import await_that
from tests.control_rows import forget, throwaway_problem
from tests.domain.sample_package import sample_package

pytestmark = pytest.mark.stack
PATIENCE_SECONDS = 120
ROW = {"Pregnancies": 2, "Glucose": 120, "BloodPressure": 70, "SkinThickness": None, "Insulin": 0, "BMI": 30.5}
ROW |= {"DiabetesPedigreeFunction": 0.4, "Age": 40}


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The addresses of two replicas of our own, on free ports."""
    logs = tmp_path_factory.mktemp("replicas")
    processes, urls = [], []
    for number in (1, 2):
        with closing(socket.socket()) as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        processes.append(_start(f"pytest_{number}", port, logs / f"{number}.log"))
        urls.append(f"http://127.0.0.1:{port}")
    try:
        ready = fleet.await_all(
            "none",
            lambda one: fleet.readiness(one.url).get("ready", False),
            deadline_seconds=PATIENCE_SECONDS,
            urls=urls,
        )
        assert all(fleet.readiness(one.url)["ready"] for one in ready), (logs / "1.log").read_text()
        yield urls
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=PATIENCE_SECONDS)
        with control() as connection:
            connection.execute("DELETE FROM control.replica_reports WHERE replica LIKE 'pytest\\_%'")


def _start(name: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "uvicorn", "serving.app:app", f"--port={port}", "--no-access-log"]
    environment = os.environ | {"MILLRACE_REPLICA": name, "MILLRACE_PREDICTION_REPORTS_SECONDS": "0.1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT)


@pytest.fixture
def problem(replicas: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(fleet, "replicas", lambda: replicas)
    name = throwaway_problem()
    yield name
    forget(name)
    object_store.delete_prefix(get_settings().models_bucket, f"{name}/")


def register(
    problem: str, version: int, *, state: champions.State = "passed", judged: dict[str, Any] | None = None
) -> dict[str, bytes]:
    """A version with a package of its own content, as training leaves it; `judged` is what the gate recorded."""
    shipped = get_problem("diabetes", ROOT / "include" / "problems")
    files = sample_package(shipped.model_copy(update={"problem": problem}), seed=version)
    detail = {"uri": package_store.put(problem, files), "content_hash": content_hash(files), "gold_snapshot": version}
    champions.record_transition(problem, version, "registered", "test", "trained", detail)
    champions.record_transition(problem, version, state, "test", "judged", judged)
    return files


def deploy(problem: str, version: int) -> dict[str, Any]:
    return roll_out.roll_out(problem, version, actor="test", reason="because")


def serve(problem: str, version: int, *, rollback: bool = False) -> dict[str, Any]:
    """As `deploy`, without the proofs, which take seconds: for tests of something else."""
    moved = roll_out.move_champion(problem, version, actor="test", reason="because", rollback=rollback)
    roll_out.await_fleet(problem, moved["generation"])
    return moved


def versions_served(problem: str) -> set[int | None]:
    return {fleet.serves(url, problem).version for url in fleet.replicas()}


def damage(problem: str, version: int, file: str) -> None:
    """Flip one bit of a stored file."""
    uri = champions.registration(problem, version)["uri"]
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    content = bytearray(object_store.get(bucket, prefix + file))
    content[len(content) // 2] ^= 1
    object_store.put(bucket, prefix + file, bytes(content))


def test_a_rollout_ends_with_the_version_on_every_replica(problem: str) -> None:
    register(problem, 1)
    told = deploy(problem, 1)
    assert told["smoke"]["difference"] <= 1e-6
    assert told["verified"]["golden_difference"] <= 1e-6
    assert told["verified"]["latency_p95_ms"] <= told["verified"]["latency_limit_ms"]
    assert versions_served(problem) == {1}
    # A replica serves first, and reports then.
    wanted = {"pytest_1", "pytest_2"}
    await_that(
        "both replicas have reported it",
        lambda: wanted <= {report.replica for report in replica_reports.replica_reports(problem)},
        seconds=PATIENCE_SECONDS,
    )


def test_no_request_is_dropped_while_the_champion_changes(problem: str) -> None:
    register(problem, 1)
    register(problem, 2)
    serve(problem, 1)
    replicas = fleet.replicas()
    answers: dict[str, list[tuple[int, int]]] = {url: [] for url in replicas}
    stop = threading.Event()

    def call(url: str) -> None:
        key = {"X-API-Key": get_settings().api_key.get_secret_value()}
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS, headers=key) as client:
            while not stop.is_set():
                answer = client.post(f"/v1/models/{problem}/predict", json=ROW)
                version = answer.json()["model"]["version"] if answer.status_code == 200 else 0
                answers[url].append((answer.status_code, version))
                stop.wait(0.01)  # One caller is enough to catch a gap; the machine is shared.

    def every_replica_answers_with(version: int) -> bool:
        return all((200, version) in told for told in answers.values())

    threads = [threading.Thread(target=call, args=(url,)) for url in replicas]
    for thread in threads:
        thread.start()
    try:
        await_that(
            "both replicas answer with version 1", lambda: every_replica_answers_with(1), seconds=PATIENCE_SECONDS
        )
        serve(problem, 2)
        await_that(
            "both replicas answer with version 2", lambda: every_replica_answers_with(2), seconds=PATIENCE_SECONDS
        )
        serve(problem, 1, rollback=True)
        told_before = {url: len(told) for url, told in answers.items()}
        await_that(
            "both replicas answer after the rollback",
            lambda: all(len(told) > told_before[url] for url, told in answers.items()),
            seconds=PATIENCE_SECONDS,
        )
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {status for told in answers.values() for status, _ in told} == {200}
    assert {told[-1] for told in answers.values()} == {(200, 1)}


def test_a_damaged_package_is_refused_before_any_replica_sees_it(problem: str) -> None:
    register(problem, 1)
    serve(problem, 1)
    register(problem, 2)
    damage(problem, 2, "model.ubj")
    with pytest.raises(VerdictError) as refused:
        deploy(problem, 2)
    assert "model.ubj" in refused.value.place
    assert "holds a changed file" in refused.value.problem
    assert versions_served(problem) == {1}
    assert champions.state_of(problem, 2) == "refused"
    assert roll_out.version_to_deploy(problem) is None


def test_a_package_damaged_after_its_proof_is_not_loaded_and_the_old_one_is_put_back(
    problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(problem, 1)
    serve(problem, 1)
    register(problem, 2)
    damage(problem, 2, "calibration.json")
    moved = roll_out.move_champion(problem, 2, actor="test", reason="without the proof")

    def not_loaded(url: str) -> bool:
        return problem in fleet.readiness(url).get("not_loaded", {})

    await_that("every replica has tried it", lambda: all(map(not_loaded, fleet.replicas())), seconds=PATIENCE_SECONDS)
    with pytest.raises(VerdictError) as late:
        roll_out.await_fleet(problem, moved["generation"], deadline_seconds=0.1)
    assert "calibration.json" in late.value.found
    assert versions_served(problem) == {1}
    with pytest.raises(VerdictError) as undone:
        roll_out.put_back(problem, moved, reason="not loaded")
    assert "version 1 is in force again" in undone.value.fix
    live = champions.current(problem)
    assert live is not None
    assert (live.version, live.generation) == (1, 3)
    assert champions.state_of(problem, 2) == "retired"
    with pytest.raises(VerdictError):
        roll_out.put_back(problem, moved, reason="said again, done once")
    assert champions.current(problem) == live


def test_a_failed_smoke_test_of_the_very_first_version_leaves_no_champion(
    problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(problem, 1)
    honest = fleet.predict

    def shifted(url: str, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        answer = honest(url, name, rows)
        answer["predictions"][-1]["probability"] += 1e-4
        return answer

    monkeypatch.setattr(fleet, "predict", shifted)
    with pytest.raises(VerdictError) as undone:
        deploy(problem, 1)
    assert "golden row" in undone.value.found
    assert champions.current(problem) is None
    monkeypatch.setattr(fleet, "predict", honest)
    assert serve(problem, 1)["previous"] is None


def test_a_replica_that_is_away_fails_the_rollout_and_is_named(problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    register(problem, 1)
    moved = roll_out.move_champion(problem, 1, actor="test", reason="because")
    monkeypatch.setattr(fleet, "replicas", lambda: ["http://127.0.0.1:9"])
    with pytest.raises(VerdictError) as late:
        roll_out.await_fleet(problem, moved["generation"], deadline_seconds=0.1)
    assert "http://127.0.0.1:9" in late.value.place
    with pytest.raises(MillraceError):
        fleet.ping()


def test_only_versions_that_passed_become_champion(problem: str) -> None:
    register(problem, 1)
    register(problem, 2, state="refused")
    register(problem, 3)
    with pytest.raises(VerdictError) as refused:
        roll_out.move_champion(problem, 2, actor="test", reason="because")
    assert refused.value.found == "state refused"
    with pytest.raises(MillraceError):
        roll_out.move_champion(problem, 99, actor="test", reason="because")
    roll_out.move_champion(problem, 3, actor="test", reason="because")
    with pytest.raises(VerdictError) as older:
        roll_out.move_champion(problem, 1, actor="test", reason="because")
    assert "version 3 in force" in older.value.found


def test_a_candidate_deploys_only_over_the_champion_that_it_was_compared_with(problem: str) -> None:
    for version, rival in ((1, None), (2, 1), (3, 1)):
        register(problem, version, judged={"champion_version": rival})
        if rival is None:
            roll_out.move_champion(problem, version, actor="test", reason="the first")
    roll_out.move_champion(problem, 2, actor="test", reason="it was compared with version 1")
    with pytest.raises(VerdictError, match="never compared") as refused:
        roll_out.move_champion(problem, 3, actor="test", reason="because")
    assert "judged against version 1, and version 2 is in force" in refused.value.found
    assert "train again" in refused.value.fix
    assert champions.state_of(problem, 3) == "refused"
    assert roll_out.version_to_deploy(problem) is None, "nor is it tried again"

    register(problem, 4, judged={"champion_version": None})
    with pytest.raises(VerdictError, match="never compared"):
        roll_out.move_champion(problem, 4, actor="test", reason="trained before there was a champion")

    roll_out.move_champion(problem, 1, actor="ann", reason="rollback", rollback=True)
    roll_out.move_champion(problem, 2, actor="ann", reason="again, after its release")
    live = champions.current(problem)
    assert live is not None
    assert live.version == 2


def test_moving_twice_moves_once_and_still_knows_what_was_before(problem: str) -> None:
    register(problem, 1)
    register(problem, 2)
    roll_out.move_champion(problem, 1, actor="test", reason="because")
    first = roll_out.move_champion(problem, 2, actor="test", reason="because")
    again = roll_out.move_champion(problem, 2, actor="test", reason="because")
    assert again == {**first, "moved": False}
    by_another = roll_out.move_champion(problem, 2, actor="test", reason="another run")
    assert by_another == {**again, "ours": False}
    assert first["previous"]["version"] == 1


def test_a_stale_put_back_undoes_nothing(problem: str) -> None:
    for version in (1, 2, 3):
        register(problem, version)
    roll_out.move_champion(problem, 1, actor="test", reason="because")
    moved = roll_out.move_champion(problem, 2, actor="test", reason="because")
    roll_out.move_champion(problem, 3, actor="somebody", reason="meanwhile")
    with pytest.raises(LostRaceError):
        roll_out.put_back(problem, moved, reason="too late")
    live = champions.current(problem)
    assert live is not None
    assert live.version == 3


def test_a_rollback_bars_the_content_until_it_is_released(problem: str) -> None:
    for version in (1, 2):
        files = register(problem, version)
        serve(problem, version)
    told = roll_back(problem, actor="ann", reason="wrong for the young")
    assert (told["version"], told["barred"], told["not_verified"]) == (1, content_hash(files), None)
    assert versions_served(problem) == {1}
    assert roll_out.version_to_deploy(problem) is None
    with pytest.raises(VerdictError) as barred:
        roll_out.move_champion(problem, 2, actor="deploy", reason="because", by_name=True)
    assert "ann" in barred.value.found
    assert champions.release(problem, content_hash(files), actor="ann", reason="it was the data")
    roll_out.roll_out(problem, 2, actor="test", reason="because", by_name=True)
    assert versions_served(problem) == {2}


def test_a_rollback_said_again_finishes_and_goes_no_version_further(
    problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [register(problem, version) for version in (1, 2, 3)][-1]
    for version in (1, 2, 3):
        serve(problem, version)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("millrace.steps.roll_back.await_fleet", killed)
    with pytest.raises(KeyboardInterrupt):
        roll_back(problem, actor="ann", reason="wrong")
    monkeypatch.setattr("millrace.steps.roll_back.await_fleet", roll_out.await_fleet)
    for asked in (None, None, 2):
        told = roll_back(problem, asked, actor="ann", reason="wrong")
        assert (told["version"], told["moved"], told["barred"]) == (2, False, content_hash(bad))
    monkeypatch.setattr("millrace.steps.roll_back.SAID_AGAIN", timedelta(0))
    assert roll_back(problem, actor="ann", reason="wrong")["version"] == 1, "the same words, much later"


def test_without_an_earlier_version_a_rollback_bars_nothing(problem: str) -> None:
    with pytest.raises(VerdictError):
        roll_back(problem, actor="ann", reason="because")
    files = register(problem, 1)
    serve(problem, 1)
    with pytest.raises(VerdictError):
        roll_back(problem, actor="ann", reason="because")
    assert champions.barred(problem, content_hash(files)) is None
    assert problem_holds.current(problem) is None


def test_with_the_store_away_a_rollback_comes_from_the_disks_of_the_replicas(
    problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (1, 2):
        register(problem, version)
        serve(problem, version)
    # For the replicas, which are processes of their own, it is away too: nothing is there.
    object_store.delete_prefix(get_settings().models_bucket, f"{problem}/")

    def away(uri: str) -> dict[str, bytes]:
        raise StoreAwayError("The store is away", place=uri, found="nobody", expected="somebody", fix="make up")

    monkeypatch.setattr(package_store, "get", away)
    told = roll_back(problem, actor="ann", reason="wrong")
    assert "nobody" in told["not_verified"]
    assert versions_served(problem) == {1}


def test_a_rollback_to_a_damaged_package_moves_and_holds_nothing(problem: str) -> None:
    for version in (1, 2):
        register(problem, version)
        roll_out.move_champion(problem, version, actor="test", reason="because")
    damage(problem, 1, "model.ubj")
    with pytest.raises(VerdictError) as refused:
        roll_back(problem, actor="ann", reason="wrong")
    assert "model.ubj" in refused.value.place
    live = champions.current(problem)
    assert live is not None
    assert live.version == 2
    assert problem_holds.current(problem) is None
    assert champions.state_of(problem, 1) == "retired", "put back from a backup, it can be rolled back to"


def test_the_newest_passed_version_is_chosen(problem: str) -> None:
    assert roll_out.version_to_deploy(problem) is None
    register(problem, 1)
    register(problem, 2)
    register(problem, 3, state="refused")
    assert roll_out.version_to_deploy(problem) == 2
    assert roll_out.version_to_deploy(problem, asked=1) == 1
    roll_out.move_champion(problem, 2, actor="test", reason="because")
    assert roll_out.version_to_deploy(problem) is None
