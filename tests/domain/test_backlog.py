"""When a backlog is told: at its size, at its age, and never again for nothing."""

from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.changes import Changes
from millrace.domain.backlog import Backlog, Told, is_to_be_told, reason

CHANGES = Changes(rows=100, seconds=30, retry_seconds=600)
NOW = 1_000_000.0


def backlog(rows: int, age: float | None, end: int = 500, start: int = 0) -> Backlog:
    return Backlog(rows=rows, oldest_at=None if age is None else NOW - age, start={0: start}, end={0: end})


def test_it_fires_at_its_size_or_at_its_age() -> None:
    assert "100 messages wait" in str(reason(backlog(100, 0), CHANGES, now=NOW))
    assert "waits for 30 s" in str(reason(backlog(1, 30), CHANGES, now=NOW))
    assert reason(backlog(99, 29.9), CHANGES, now=NOW) is None


def test_nothing_and_markers_alone_never_fire() -> None:
    assert reason(backlog(0, None), CHANGES, now=NOW) is None
    assert reason(backlog(5000, None), CHANGES, now=NOW) is None


def test_a_message_from_the_future_is_not_old() -> None:
    assert reason(backlog(1, -3600), CHANGES, now=NOW) is None
    assert reason(backlog(100, -3600), CHANGES, now=NOW)


def test_it_is_told_again_when_something_came_or_after_the_retry_interval() -> None:
    told = Told({0: 0}, {0: 500}, NOW - 10)
    assert is_to_be_told(backlog(100, 40), CHANGES, None, now=NOW)
    assert is_to_be_told(backlog(100, 40), CHANGES, told, now=NOW) is None
    assert is_to_be_told(backlog(101, 40, end=501), CHANGES, told, now=NOW)
    again = is_to_be_told(backlog(100, 700), CHANGES, Told({0: 0}, {0: 500}, NOW - 600), now=NOW)
    assert "told 600 s ago" in str(again)
    assert is_to_be_told(backlog(0, None), CHANGES, Told({0: 0}, {0: 500}, NOW - 600), now=NOW) is None


def test_what_a_bounded_run_left_is_told_at_once() -> None:
    told = Told({0: 0}, {0: 500}, NOW - 10)
    assert is_to_be_told(backlog(300, 40, start=200), CHANGES, told, now=NOW)
    assert is_to_be_told(backlog(50, 5, start=450), CHANGES, told, now=NOW) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 50)), max_size=60))
def test_it_is_never_told_twice_within_the_interval_for_the_same_end(steps: list[tuple[int, float]]) -> None:
    """Nobody takes anything in: each telling has another end, or comes an interval after the one before."""
    now, end, last = NOW, 0, None
    for grown, later in steps:
        now, end = now + later, end + grown
        seen = Backlog(rows=end, oldest_at=NOW if end else None, start={0: 0}, end={0: end})
        if is_to_be_told(seen, CHANGES, last, now=now):
            assert last is None or last.end != {0: end} or now - last.at >= CHANGES.retry_seconds
            last = Told({0: 0}, {0: end}, now)
        elif reason(seen, CHANGES, now=now):
            assert last is not None
