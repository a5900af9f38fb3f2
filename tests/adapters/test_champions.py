"""The champion is moved by compare-and-set, and how it came there cannot be rewritten."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from millrace.adapters import champions, control, replica_reports
from millrace.contract.errors import LostRaceError, MillraceError
from millrace.settings import Settings
from tests.control_rows import forget, throwaway_problem

pytestmark = pytest.mark.stack


@pytest.fixture
def problem() -> Iterator[str]:
    name = throwaway_problem()
    yield name
    forget(name)


def moved(problem: str, version: int, expected_generation: int) -> champions.Champion:
    return champions.move(
        problem,
        version=version,
        uri=f"s3://models/{problem}/packages/{version}/",
        content_hash=f"hash-{version}",
        expected_generation=expected_generation,
        actor="test",
        reason="because",
    )


def test_the_first_champion_has_generation_one(problem: str) -> None:
    assert champions.current(problem) is None
    first = moved(problem, 1, 0)
    assert first.generation == 1
    assert champions.current(problem) == first
    assert first in champions.all_champions()


def test_a_champion_names_the_gold_that_its_version_was_registered_with(problem: str) -> None:
    assert moved(problem, 1, 0).gold_snapshot is None
    detail = {"uri": "s3://models/x/", "content_hash": "hash-2", "gold_snapshot": 8773044883344685640}
    champions.record_transition(problem, 2, "registered", "test", "trained", detail)
    assert moved(problem, 2, 1).gold_snapshot == "8773044883344685640"
    assert [one.gold_snapshot for one in champions.history(problem)] == ["8773044883344685640", None]


def test_a_move_retires_the_old_version_in_the_same_transaction(problem: str) -> None:
    moved(problem, 1, 0)
    second = moved(problem, 2, 1)
    assert (second.version, second.generation) == (2, 2)
    assert champions.state_of(problem, 1) == "retired"
    assert champions.state_of(problem, 2) == "champion"
    assert [c.version for c in champions.history(problem)] == [2, 1]


def test_a_stale_move_loses_and_leaves_no_trace(problem: str) -> None:
    moved(problem, 1, 0)
    with pytest.raises(LostRaceError) as lost:
        moved(problem, 2, 0)
    assert "generation 1" in lost.value.found
    assert champions.state_of(problem, 2) is None
    assert len(champions.history(problem)) == 1


@pytest.mark.parametrize("start", [0, 1])
def test_of_many_movers_exactly_one_wins(problem: str, start: int) -> None:
    if start:
        moved(problem, 1, 0)

    def attempt(version: int) -> int | None:
        try:
            return moved(problem, version, start).version
        except LostRaceError:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [v for v in pool.map(attempt, range(10, 18)) if v is not None]
    live = champions.current(problem)
    assert live is not None
    assert [live.version] == winners
    assert live.generation == start + 1


def test_a_withdrawn_champion_leaves_none_and_generations_go_on(problem: str) -> None:
    moved(problem, 1, 0)
    champions.withdraw(problem, expected_generation=1, actor="test", reason="it proved bad")
    assert champions.current(problem) is None
    assert champions.state_of(problem, 1) == "retired"
    assert moved(problem, 2, 0).generation == 2


def test_history_is_append_only(problem: str) -> None:
    moved(problem, 1, 0)
    for table in ("champion_history", "version_transitions"):
        for change in (
            "UPDATE control.{} SET actor = 'x' WHERE problem = %s",
            "DELETE FROM control.{} WHERE problem = %s",
        ):
            with pytest.raises(MillraceError) as refused, control.control() as connection:
                connection.execute(change.format(table), [problem])
            assert "append-only" in str(refused.value)


def test_the_states_of_a_version_are_kept_in_order(problem: str) -> None:
    detail = {"uri": "s3://models/x/", "content_hash": "h", "gold_snapshot": 7}
    champions.record_transition(problem, 3, "registered", "train", "trained", detail)
    champions.record_transition(problem, 3, "passed", "gate", "all conditions hold")
    assert [t.state for t in champions.transitions(problem)] == ["registered", "passed"]
    assert champions.state_of(problem, 3) == "passed"
    assert champions.registration(problem, 3) == detail
    with pytest.raises(MillraceError) as unknown:
        champions.registration(problem, 4)
    assert "[3]" in unknown.value.found


def test_a_held_content_stays_barred_until_released(problem: str) -> None:
    assert champions.barred(problem, "h") is None
    champions.hold(problem, "h", actor="ann", reason="wrong for the young")
    champions.hold(problem, "h", actor="bob", reason="again")
    found = champions.barred(problem, "h")
    assert found is not None
    assert (found.actor, found.reason) == ("ann", "wrong for the young")
    assert champions.release(problem, "h", actor="ann", reason="mended")
    assert champions.barred(problem, "h") is None
    assert not champions.release(problem, "h", actor="ann", reason="mended")


def test_a_replica_report_replaces_its_last_one(problem: str) -> None:
    first = {"version": 1, "generation": 1, "content_hash": "h1"}
    replica_reports.report("serving_1", problem, **first)
    replica_reports.report("serving_1", problem, **first, error="version 2: a file is damaged")
    replica_reports.report("serving_2", problem, version=2, generation=2, content_hash="h2")
    found = replica_reports.replica_reports(problem)
    assert [(r.replica, r.version, r.error) for r in found] == [
        ("serving_1", 1, "version 2: a file is damaged"),
        ("serving_2", 2, None),
    ]


def test_the_schema_can_be_created_by_many_at_once() -> None:
    def create(_: int) -> None:
        with control._connect() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [control.LOCK_OF_THE_SCHEMA])
            connection.execute(control.SCHEMA)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(8)))


def test_an_unreachable_database_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Settings(postgres_host="127.0.0.1", port_offset=40_000)
    monkeypatch.setattr(control, "get_settings", lambda: away)
    with pytest.raises(MillraceError) as error:
        champions.all_champions()
    assert "make up" in error.value.fix
    assert "password=" not in str(error.value)
