"""When a backlog is told: at its size, at its age, and never again for nothing."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.changes import Changes
from millrace.domain.backlog import Backlog, Firing, Starts, Told, is_to_be_told, reason, together

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


def places(start: Mapping[int, int]) -> Starts:
    return {("loans", partition): offset for partition, offset in start.items()}


def told(start: int, at: float) -> Told:
    return Told(places({0: start}), at)


def told_now(seen: Backlog, last: Told | None, now: float = NOW) -> bool:
    why = reason(seen, CHANGES, now=now)
    return why is not None and is_to_be_told(
        Firing(why, "", places(seen.start), seen.rows), last, now=now, retry_seconds=CHANGES.retry_seconds
    )


def test_where_no_run_took_anything_in_it_is_told_again_after_the_retry_interval_only() -> None:
    assert told_now(backlog(100, 40), None)
    assert not told_now(backlog(100, 40), told(0, NOW - 10))
    # A run that fails on what waits fails on what came, too.
    assert not told_now(backlog(101, 40, end=501), told(0, NOW - 10))
    assert told_now(backlog(100, 700), told(0, NOW - 600))
    assert not told_now(backlog(0, None), told(0, NOW - 600))


def test_what_a_bounded_run_left_is_told_at_once() -> None:
    last = told(0, NOW - 10)
    assert told_now(backlog(300, 40, start=200), last)
    assert not told_now(backlog(50, 5, start=450), last)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.floats(0.1, 50)), max_size=60))
def test_it_is_never_told_twice_within_the_interval_from_the_same_start(steps: list[tuple[int, int, float]]) -> None:
    """Each step something may come, and a run may take something in."""
    now, start, end, last = NOW, 0, 0, None
    for grown, taken, later in steps:
        now, end = now + later, end + grown
        start = min(start + taken, end)
        seen = Backlog(end - start, NOW if end > start else None, {0: start}, {0: end})
        if told_now(seen, last, now):
            assert last is None or last.start != places({0: start}) or now - last.at >= CHANGES.retry_seconds
            last = told(start, now)
        elif reason(seen, CHANGES, now=now):
            assert last is not None
            assert last.start == places({0: start})


def test_several_topics_ask_together_and_one_that_moved_is_told_again() -> None:
    changes = Firing("5 wait", "wait in changes", {("changes", 0): 7}, 5)
    events = Firing("9 wait", "wait in events", {("events", 0): 1, ("events", 1): 2}, 9)
    both = together([changes, events])
    assert both is not None
    assert (both.why, both.level, both.rows) == ("5 wait; 9 wait", "wait in changes; wait in events", 14)
    last = Told(both.start, NOW)
    assert not is_to_be_told(both, last, now=NOW + 1, retry_seconds=600)
    assert is_to_be_told(events, last, now=NOW + 1, retry_seconds=600)
    assert together([]) is None
