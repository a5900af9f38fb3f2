"""A rollback holds its problem: nothing is promoted by itself until it is released, and one order holds for all."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from millrace import cli
from millrace.adapters import champions, fleet, package_store, problem_holds
from millrace.cli import models
from millrace.contract.errors import LostRaceError, MillraceError, VerdictError
from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.domain.package import content_hash
from millrace.settings import ROOT
from millrace.steps import roll_back as rolling_back
from millrace.steps.held import held
from millrace.steps.move_champion import move_champion, version_to_deploy
from millrace.steps.pending_models import pending_deploy
from millrace.steps.roll_back import roll_back
from millrace.steps.roll_out import put_back
from millrace.steps.version_history import version_history
from serving.champion import Watch
from serving.warm_up import warm_up
from tests.control_rows import forget, throwaway_problem
from tests.serving.world import package

pytestmark = pytest.mark.stack
SHIPPED = get_problem("diabetes", ROOT / "include" / "problems")
VERSIONS = (1, 2, 3)
URI = "memory://{}/{}"


@pytest.fixture
def problem(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Versions 1 and 2 led, version 3 has passed its gate. There is no fleet, and the packages are in memory."""
    name = throwaway_problem()
    packages = {URI.format(name, version): package("diabetes", seed=version) for version in VERSIONS}
    monkeypatch.setattr(package_store, "get", packages.__getitem__)
    monkeypatch.setattr(fleet, "replicas", list)
    monkeypatch.setattr(rolling_back, "mirror_alias", lambda *_: True)
    monkeypatch.setattr("millrace.steps.move_champion.mirror_alias", lambda *_: True)
    for version in VERSIONS:
        uri = URI.format(name, version)
        detail = {"uri": uri, "content_hash": content_hash(packages[uri]), "gold_snapshot": version}
        champions.record_transition(name, version, "registered", "test", "trained", detail)
        champions.record_transition(name, version, "passed", "test", "judged")
    for version in (1, 2):
        move_champion(name, version, actor="deploy", reason="the gate")
    yield name
    forget(name)


def named(problem: str) -> Problem:
    return SHIPPED.model_copy(update={"problem": problem})


def live(problem: str) -> tuple[int, int]:
    """Version and generation in force."""
    champion = champions.current(problem)
    assert champion is not None
    return champion.version, champion.generation


def test_after_a_rollback_nothing_is_promoted_by_itself(problem: str) -> None:
    assert version_to_deploy(problem) == 3
    roll_back(problem, actor="ann", reason="wrong for the young")
    assert version_to_deploy(problem) is None
    assert pending_deploy(named(problem)) is None
    with pytest.raises(VerdictError) as refused:
        move_champion(problem, 3, actor="deploy", reason="a run that had chosen it before")
    assert "held by ann since" in refused.value.found
    assert "because: wrong for the young" in refused.value.found
    assert f"`millrace release {problem}`" in refused.value.found
    assert live(problem) == (1, 3)
    assert champions.state_of(problem, 3) == "passed", "held, it is not refused"

    assert problem_holds.release(problem, actor="eve", reason="the gate knows the young now")
    assert held(problem) is None
    assert version_to_deploy(problem) == 3
    move_champion(problem, 3, actor="deploy", reason="the gate")
    assert live(problem) == (3, 4)


def test_a_version_that_a_person_names_goes_through_and_the_hold_stays(problem: str) -> None:
    roll_back(problem, actor="ann", reason="wrong")
    assert version_to_deploy(problem, asked=3) == 3
    moved = move_champion(problem, 3, actor="deploy", reason="asked for", by_name=True)
    assert live(problem)[0] == 3
    assert held(problem) is not None
    with pytest.raises(VerdictError):
        put_back(problem, moved, reason="its smoke test failed")
    assert live(problem)[0] == 1, "what is held can still be undone"


def test_the_content_stays_barred_also_for_whoever_names_it(problem: str) -> None:
    roll_back(problem, actor="ann", reason="wrong")
    problem_holds.release(problem, actor="ann", reason="go on")
    with pytest.raises(VerdictError, match="may not become champion"):
        move_champion(problem, 2, actor="deploy", reason="asked for", by_name=True)
    assert version_to_deploy(problem) == 3


def test_a_second_rollback_keeps_the_first_hold(problem: str) -> None:
    roll_back(problem, actor="ann", reason="wrong")
    move_champion(problem, 3, actor="deploy", reason="asked for", by_name=True)
    roll_back(problem, actor="bob", reason="wrong as well")
    assert [(one.actor, one.released_at) for one in problem_holds.every(problem)] == [("ann", None)]
    problem_holds.release(problem, actor="ann", reason="go on")
    assert not problem_holds.release(problem, actor="ann", reason="go on"), "there is none any more"


def test_release_says_what_it_lifted_and_what_stays(problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "find_problem", named)
    roll_back(problem, actor="ann", reason="wrong for the young")
    run = partial(CliRunner().invoke, cli.app, catch_exceptions=False)
    told = run(["release", problem, "2", "--reason", "it was the data", "--actor", "eve"]).output
    assert f"`millrace deploy {problem} 2`" in told
    assert "held by ann" in told, "the problem is held all the same"
    champions.hold(problem, content_hash(package("diabetes", seed=2)), actor="bob", reason="too low")
    told = run(["release", problem, "--reason", "go on", "--actor", "eve"]).output
    assert "is held no more" in told
    assert "version 2 is barred by bob: too low" in told
    assert "was not held" in run(["release", problem, "--reason", "go on"]).output
    states = [(event.state, event.versions) for event in version_history(named(problem))]
    assert [one for one in states if one[0] in ("barred", "held", "released")] == [
        ("barred", (2,)),
        ("held", ()),
        ("released", (2,)),
        ("barred", (2,)),
        ("released", ()),
    ]


def together(*calls: Callable[[], object]) -> list[object]:
    """What each call gave, or the error of ours that it raised; all begin at once."""
    ready = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        ready.wait()
        try:
            return call()
        except MillraceError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.parametrize("_round", range(5))
def test_of_two_promotions_at_once_one_order_is_kept(problem: str, _round: int) -> None:
    found = together(*(partial(move_champion, problem, 3, actor=who, reason="the gate") for who in ("a", "b", "c")))
    moved = [one for one in found if isinstance(one, dict) and one["moved"]]
    assert len(moved) == 1
    assert all(
        isinstance(one, LostRaceError) or (isinstance(one, dict) and not one["moved"])
        for one in found
        if one != moved[0]
    )
    assert live(problem) == (3, 3)
    assert [one.generation for one in champions.history(problem)] == [3, 2, 1]


@pytest.mark.parametrize("_round", range(10))
def test_a_promotion_during_a_rollback_comes_before_it_or_not_at_all(problem: str, _round: int) -> None:
    promoted, rolled = together(
        partial(move_champion, problem, 3, actor="deploy", reason="the gate"),
        partial(roll_back, problem, actor="ann", reason="wrong"),
    )
    bad = content_hash(package("diabetes", seed=2))
    if isinstance(rolled, dict):
        assert live(problem) == (1, 3)
        assert isinstance(promoted, LostRaceError | VerdictError)
        assert held(problem) is not None
        assert champions.barred(problem, bad) is not None
    else:
        assert isinstance(rolled, LostRaceError)
        assert isinstance(promoted, dict)
        assert live(problem) == (3, 3)
        assert held(problem) is None, "who lost the race holds nothing"
        assert champions.barred(problem, bad) is None


@pytest.mark.parametrize("_round", range(5))
def test_two_rollbacks_at_once_go_back_once(problem: str, _round: int) -> None:
    found = together(*(partial(roll_back, problem, actor=who, reason=f"{who} saw it") for who in ("ann", "bob")))
    done = [one for one in found if isinstance(one, dict)]
    lost = [one for one in found if not isinstance(one, dict)]
    assert (len(done), len(lost)) == (1, 1)
    assert isinstance(lost[0], LostRaceError | VerdictError)
    assert live(problem) == (1, 3)
    assert len(problem_holds.every(problem)) == 1


def test_replicas_that_join_while_champions_change_see_one_order(problem: str, tmp_path: Path) -> None:
    packages = {URI.format(problem, version): package("diabetes", seed=version) for version in VERSIONS}

    def ours() -> list[champions.Champion]:
        return [one for one in champions.all_champions() if one.problem == problem]

    def replica(name: str) -> Watch:
        return Watch(
            name,
            champions=ours,
            fetch=packages.__getitem__,
            report=lambda *_, **__: None,
            history=lambda _: [],
            warm_up=warm_up,
            cache=tmp_path / name,
        )

    stop = threading.Event()
    seen: dict[str, list[tuple[int, int]]] = {}

    def follow(name: str) -> Watch:
        watch = replica(name)
        while not stop.is_set():
            watch.look()
            served = watch.in_force[problem].champion
            seen.setdefault(name, []).append((served.generation, served.version))
        watch.look()
        return watch

    with ThreadPoolExecutor(4) as pool:
        followers = [pool.submit(follow, "first")]
        try:
            for round_ in range(6):
                if round_ < 3:
                    followers.append(pool.submit(follow, f"joined_{round_}"))
                version = VERSIONS[round_ % 3]
                move_champion(problem, version, actor="test", reason="because", rollback=True)
        finally:
            stop.set()
        watches = [one.result() for one in followers]
    led = {one.generation: one.version for one in champions.history(problem)}
    for told in seen.values():
        assert [generation for generation, _ in told] == sorted(generation for generation, _ in told)
        assert all(led[generation] == version for generation, version in told)
    assert {(w.in_force[problem].champion.version, w.in_force[problem].champion.generation) for w in watches} == {
        live(problem)
    }


def test_a_run_undoes_only_what_it_moved_itself(problem: str) -> None:
    roll_back(problem, actor="ann", reason="wrong for the young")
    before = live(problem)
    again = move_champion(problem, 1, actor="deploy", reason="run of today", by_name=True)
    assert (again["moved"], again["ours"]) == (False, False)
    with pytest.raises(VerdictError, match="was in force already, and stays"):
        put_back(problem, again, reason="a replica is away")
    assert live(problem) == before, "version 2, which is barred, did not come back"


def test_a_run_that_is_tried_again_after_a_kill_still_undoes_its_move(problem: str) -> None:
    for _ in range(2):
        moved = move_champion(problem, 3, actor="deploy", reason="run 7")
    assert (moved["moved"], moved["ours"]) == (False, True)
    with pytest.raises(VerdictError, match="was undone"):
        put_back(problem, moved, reason="the smoke test failed")
    assert live(problem)[0] == 2


def test_a_rollback_passes_over_what_was_undone_when_it_was_deployed(problem: str) -> None:
    with pytest.raises(VerdictError):
        put_back(problem, move_champion(problem, 3, actor="deploy", reason="run 7"), reason="the smoke test failed")
    roll_back(problem, actor="ann", reason="wrong for the young")
    assert live(problem)[0] == 1


def test_a_version_that_led_can_be_gone_back_to_though_a_verification_refused_it(problem: str) -> None:
    move_champion(problem, 3, actor="deploy", reason="run 7")
    champions.record_transition(problem, 2, "refused", "deploy", "its package could not be read")
    roll_back(problem, actor="ann", reason="wrong for the young")
    assert live(problem)[0] == 2
