"""Ranges of a topic: each message once, none left out, or an error that names both offsets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.errors import MillraceError
from millrace.domain.change_offsets import BrokenOffsetsError, Range, Recorded, TopicState, bounded, resumed, waiting

PARTITIONS = st.integers(1, 5)
GROWTH = st.lists(st.lists(st.integers(0, 50), min_size=5, max_size=5), min_size=1, max_size=12)


def state(*, earliest: dict[int, int], end: dict[int, int], topic_id: str = "one") -> TopicState:
    return TopicState("loan.public.loans", topic_id, earliest, end)


@given(PARTITIONS, GROWTH, st.integers(1, 60))
def test_runs_one_after_another_take_each_message_once(count: int, growth: list[list[int]], max_rows: int) -> None:
    """Each step the topic grows and one run takes what it may; then runs go on until nothing waits."""
    end, taken = dict.fromkeys(range(count), 0), {partition: [] for partition in range(count)}
    recorded: Recorded | None = None

    def run() -> Range | None:
        nonlocal recorded
        topic = state(earliest=dict.fromkeys(range(count), 0), end=dict(end))
        part = bounded(waiting(topic, recorded, problem="loan"), max_rows)
        if part is not None:
            assert 0 < part.messages <= max_rows
            for partition in part.end:
                taken[partition] += range(part.start[partition], part.end[partition])
            recorded = Recorded(part.topic_id, part.end)
        return part

    for step in growth:
        for partition in range(count):
            end[partition] += step[partition]
        run()
    while run() is not None:
        pass
    assert taken == {partition: list(range(last)) for partition, last in end.items()}


@given(st.dictionaries(st.integers(0, 4), st.integers(0, 10_000), min_size=1), st.integers(1, 9_000))
def test_a_bounded_run_is_as_large_as_it_may_be(end: dict[int, int], max_rows: int) -> None:
    waits = waiting(state(earliest=dict.fromkeys(end, 0), end=end), None, problem="loan")
    part = bounded(waits, max_rows)
    assert (part.messages if part else 0) == min(max_rows, sum(end.values()))


def test_the_first_run_begins_where_the_topic_does() -> None:
    waits = waiting(state(earliest={0: 0, 1: 0}, end={0: 90, 1: 7}), None, problem="loan")
    assert (waits.start, waits.end, waits.messages) == ({0: 0, 1: 0}, {0: 90, 1: 7}, 97)


def test_what_is_gone_before_the_first_run_is_an_error_too() -> None:
    with pytest.raises(MillraceError, match="gone from the topic"):
        waiting(state(earliest={0: 40}, end={0: 90}), None, problem="loan")


def test_nothing_waits_where_all_was_taken_in() -> None:
    waits = waiting(state(earliest={0: 3}, end={0: 9}), Recorded("one", {0: 9}), problem="loan")
    assert waits.messages == 0
    assert bounded(waits, 10) is None


def test_a_partition_that_was_added_is_taken_from_its_start() -> None:
    waits = waiting(state(earliest={0: 0, 1: 0}, end={0: 9, 1: 4}), Recorded("one", {0: 9}), problem="loan")
    assert waits.start == {0: 9, 1: 0}


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        (state(earliest={0: 8}, end={0: 9}), ("gone from the topic", "earliest offset 8", "offset 5")),
        (state(earliest={0: 0}, end={0: 4}), ("ends before", "last stable offset 4", "offset 5")),
        (state(earliest={1: 0}, end={1: 4}), ("ends before", "no such partition", "offset 5")),
        (state(earliest={0: 0}, end={0: 9}, topic_id="two"), ("another one", "topic id two", "topic id one")),
        # The same offsets, and yet other messages.
        (state(earliest={0: 0}, end={0: 5}, topic_id="two"), ("another one", "0: 5", "0: 5")),
    ],
)
def test_what_cannot_be_told_for_sure_is_an_error_with_both_sides(topic: TopicState, said: tuple[str, ...]) -> None:
    with pytest.raises(MillraceError) as caught:
        waiting(topic, Recorded("one", {0: 5}), problem="loan")
    problem, found, expected = said
    assert problem in caught.value.problem
    assert found in caught.value.found
    assert expected in caught.value.expected
    assert "`millrace resnapshot loan`" in caught.value.fix


def test_messages_that_are_gone_from_a_partition_added_later_are_an_error() -> None:
    topic = state(earliest={0: 0, 1: 3}, end={0: 9, 1: 4})
    with pytest.raises(MillraceError, match="gone from the topic"):
        waiting(topic, Recorded("one", {0: 9}), problem="loan")


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_a_range_is_never_outside_of_what_the_topic_holds(earliest: int, length: int, offset: int) -> None:
    topic = state(earliest={0: earliest}, end={0: earliest + length})
    try:
        waits = waiting(topic, Recorded("one", {0: offset}), problem="loan")
    except MillraceError:
        assert not earliest <= offset <= earliest + length
        return
    assert waits == replace(waits, start={0: offset}, end={0: earliest + length})
    assert earliest <= offset <= earliest + length


OFFSETS = st.dictionaries(st.integers(0, 3), st.integers(0, 50))


@given(st.dictionaries(st.integers(0, 3), st.tuples(st.integers(0, 50), st.integers(0, 50))), OFFSETS, st.booleans())
def test_where_bronze_cannot_go_on_it_can_once_offsets_were_given_up(
    held: dict[int, tuple[int, int]], taken: dict[int, int], anew: bool
) -> None:
    earliest = {partition: min(both) for partition, both in held.items()}
    topic = state(earliest=earliest, end={partition: max(both) for partition, both in held.items()})
    recorded = Recorded("another" if anew else "one", taken)
    found = resumed(topic, recorded)
    waits = waiting(topic, found.recorded, problem="loan")
    assert all(waits.start[partition] in (taken.get(partition, 0), earliest[partition]) for partition in held)
    try:
        before = waiting(topic, recorded, problem="loan")
    except BrokenOffsetsError:
        assert found.given_up
    else:
        # What could go on, goes on where it was.
        assert (found.given_up, waits) == ((), before)


def test_what_is_given_up_is_told_with_its_offsets() -> None:
    topic = state(earliest={0: 30, 1: 0, 2: 5}, end={0: 40, 1: 7, 2: 90})
    found = resumed(topic, Recorded("one", {0: 20, 1: 9, 2: 50, 3: 4}))
    assert found.recorded == Recorded("one", {0: 30, 1: 0, 2: 50})
    assert found.given_up == (
        "partition 0: offsets 20 up to before 30, which are gone",
        "partition 1: what was taken in up to before 9 no longer stands there; it is read again from 0 on",
        "partition 3: all from 4 on, with the partition",
    )
    made_anew = resumed(topic, Recorded("old", {0: 20}))
    assert made_anew.recorded == Recorded("one", {0: 30, 1: 0, 2: 5})
    assert made_anew.given_up == ("topic id old: all from 0: 20 on",)
    # Messages that were gone before the first run.
    assert resumed(topic, None).recorded.offsets == {0: 30, 1: 0, 2: 5}


def test_what_producers_sent_before_the_first_run_and_is_gone_is_not_missed() -> None:
    topic = state(earliest={0: 40, 1: 0}, end={0: 90, 1: 7})
    waits = waiting(topic, None, problem="purchase", produced=True)
    assert (waits.start, waits.end) == ({0: 40, 1: 0}, {0: 90, 1: 7})
    with pytest.raises(BrokenOffsetsError, match="Messages of purchase are gone") as error:
        waiting(topic, Recorded("one", {0: 39, 1: 0}), problem="purchase", produced=True)
    assert "`millrace resume purchase`" in error.value.fix
    assert "resnapshot" not in error.value.fix
