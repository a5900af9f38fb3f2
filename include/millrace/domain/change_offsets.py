"""Which messages of a topic one run takes in: from what bronze recorded and what the topic says of itself.

A topic's offsets only rise, so a range that begins where the last one ended takes every message once. What could break
that is an error, never a guess: a topic that was made anew, messages that are gone, an end before what was recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from millrace.contract.errors import VerdictError


class BrokenOffsetsError(VerdictError):
    """What follows the recorded offsets cannot be told for sure; `resumed` says where to go on all the same.

    No retry mends it: a person decides that something is given up.
    """


Offsets = Mapping[int, int]
"""Partition → offset."""


@dataclass(frozen=True)
class Recorded:
    """What bronze has taken in: of this very topic, all before these offsets."""

    topic_id: str
    offsets: Offsets


@dataclass(frozen=True)
class TopicState:
    """What a topic holds. `end` is the last stable offset: before it stands no transaction that is still open."""

    topic: str
    topic_id: str
    earliest: Offsets
    end: Offsets


@dataclass(frozen=True)
class Range:
    """The messages of one run: of each partition, those from `start` up to before `end`."""

    topic: str
    topic_id: str
    start: dict[int, int]
    end: dict[int, int]

    @property
    def messages(self) -> int:
        """Offsets in the range. Markers of transactions count: a topic's offsets tell no more."""
        return sum(self.end[partition] - self.start[partition] for partition in self.end)


def waiting(state: TopicState, recorded: Recorded | None, *, problem: str, produced: bool = False) -> Range:
    """All that bronze has not taken in; it may be nothing.

    Args:
        produced: Whether producers send to it, and no connector of ours. It may have been there for long, so what was
            gone before the first run is not missed. Of a table's changes each one counts from the first on.

    Raises:
        BrokenOffsetsError: If what follows the recorded offsets cannot be told for sure.
    """
    if recorded is None:
        recorded = Recorded(state.topic_id, state.earliest if produced else {})
    way_out = _WayOut(problem, produced)
    if recorded.topic_id != state.topic_id:
        raise _other_topic(state, recorded, way_out)
    # Of a partition that was added later nothing is taken in yet.
    start = {partition: recorded.offsets.get(partition, 0) for partition in state.end}
    for partition in sorted({*recorded.offsets} - {*state.end}):
        raise _ended_before(state, partition, recorded.offsets[partition], None, way_out)
    for partition, offset in sorted(start.items()):
        if offset < state.earliest[partition]:
            raise _gone(state, partition, offset, way_out)
        if offset > state.end[partition]:
            raise _ended_before(state, partition, offset, state.end[partition], way_out)
    return Range(state.topic, state.topic_id, start, dict(state.end))


@dataclass(frozen=True)
class Resumption:
    """Where to go on after what was waiting could not be told, and in words what is given up by that."""

    recorded: Recorded
    given_up: tuple[str, ...]


def resumed(state: TopicState, recorded: Recorded | None) -> Resumption:
    """Where to go on once a person says so: the earliest offset of what is not as recorded, and else where it was.

    Of a partition that ends too early nobody can tell where it was cut off, nor what came since: it is read from its
    beginning, though bronze then has some of its messages a second time.
    """
    if recorded is None:
        recorded = Recorded(state.topic_id, {})
    if recorded.topic_id != state.topic_id:
        lost = f"topic id {recorded.topic_id}: all from {_words(recorded.offsets)} on"
        return Resumption(Recorded(state.topic_id, dict(state.earliest)), (lost,))
    offsets, given_up = {}, []
    for partition, earliest in sorted(state.earliest.items()):
        offset = recorded.offsets.get(partition, 0)
        offsets[partition] = offset if earliest <= offset <= state.end[partition] else earliest
        if offset < earliest:
            given_up.append(f"partition {partition}: offsets {offset} up to before {earliest}, which are gone")
        elif offset > state.end[partition]:
            given_up.append(
                f"partition {partition}: what was taken in up to before {offset} no longer stands there; "
                f"it is read again from {earliest} on"
            )
    for partition in sorted({*recorded.offsets} - {*state.end}):
        given_up += [f"partition {partition}: all from {recorded.offsets[partition]} on, with the partition"]
    return Resumption(Recorded(state.topic_id, offsets), tuple(given_up))


def bounded(waits: Range, max_rows: int) -> Range | None:
    """The part of it that one run takes: `max_rows` over all partitions at most; None when nothing waits.

    Each partition gets its share of what waits, so that none is left behind while another is worked off.
    """
    total = waits.messages
    if total == 0:
        return None
    if total <= max_rows:
        return waits
    lengths = {partition: waits.end[partition] - waits.start[partition] for partition in waits.end}
    shares = {partition: length * max_rows // total for partition, length in lengths.items()}
    # Rounding down leaves fewer than there are partitions: one more to the first that have any left.
    for partition in sorted(shares):
        if sum(shares.values()) < max_rows and shares[partition] < lengths[partition]:
            shares[partition] += 1
    return Range(
        waits.topic,
        waits.topic_id,
        waits.start,
        {partition: start + shares[partition] for partition, start in waits.start.items()},
    )


def newest_of(part: Range, most: int) -> Range:
    """The last messages of each partition, so many at most."""
    start = {partition: max(part.start[partition], end - most) for partition, end in part.end.items()}
    return Range(part.topic, part.topic_id, start, part.end)


@dataclass(frozen=True)
class _WayOut:
    """What a person can do: a table can be read once more, what producers sent cannot."""

    problem: str
    produced: bool

    @property
    def what(self) -> str:
        return f"{'Messages' if self.produced else 'Changes'} of {self.problem}"

    @property
    def topic(self) -> str:
        return f"topic of {self.problem}'s {'producers' if self.produced else 'changes'}"

    def __str__(self) -> str:
        if self.produced:
            return f"`millrace resume {self.problem}` goes on with what is there, and says what is given up"
        return f"`millrace resnapshot {self.problem}` brings every row anew"


def _other_topic(state: TopicState, recorded: Recorded, way_out: _WayOut) -> BrokenOffsetsError:
    return BrokenOffsetsError(
        f"The {way_out.topic} is another one than bronze took in",
        place=f"topic {state.topic}",
        found=f"topic id {state.topic_id}, offsets {_words(state.earliest)} to {_words(state.end)}",
        expected=f"topic id {recorded.topic_id}, of which all before {_words(recorded.offsets)} was taken in",
        fix=f"{way_out}; what only the old topic held is lost",
    )


def _gone(state: TopicState, partition: int, offset: int, way_out: _WayOut) -> BrokenOffsetsError:
    return BrokenOffsetsError(
        f"{way_out.what} are gone from the topic that bronze has not taken in",
        place=f"topic {state.topic}, partition {partition}",
        found=f"earliest offset {state.earliest[partition]}",
        expected=f"offset {offset}, up to which bronze has taken in",
        fix=f"{way_out}; then look why ingestion stood still for so long",
    )


def _ended_before(
    state: TopicState, partition: int, offset: int, end: int | None, way_out: _WayOut
) -> BrokenOffsetsError:
    return BrokenOffsetsError(
        f"The {way_out.topic} ends before what bronze took in",
        place=f"topic {state.topic}, partition {partition}",
        found="no such partition" if end is None else f"last stable offset {end}",
        expected=f"offset {offset} or later, up to which bronze has taken in",
        fix=f"the broker lost messages (a disk that was put back?): {way_out}",
    )


def _words(offsets: Offsets) -> str:
    return ", ".join(f"{partition}: {offset}" for partition, offset in sorted(offsets.items())) or "none"
