"""Which snapshots of a table nobody needs any more."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Aged:
    """A snapshot, as far as its expiry depends on it."""

    snapshot_id: int
    parent_id: int | None
    timestamp_ms: int
    levels: frozenset[str] = frozenset()
    """Names of the records in its summary that a later run goes on from."""


def expirable(
    snapshots: Iterable[Aged],
    *,
    refs: Iterable[int],
    main: int | None,
    needed: Iterable[int | None],
    before_ms: int,
) -> list[int]:
    """The ids of the snapshots that may expire, the oldest first.

    What stays: whatever a branch or tag stands at; whatever is not older than `before_ms`, and what main was at that
    time, however old it was then; and the history of main without a gap, back to the last snapshot that somebody goes
    on from. That is each one in `needed`, and the newest
    that holds each level: whoever looks a level up walks back from the head, and stops at a gap.

    Args:
        refs: Snapshots at which a branch or tag stands.
        main: The head of main; None: there is none.
        needed: Snapshots up to which the readers have taken main in. None: a reader has taken in nothing yet, so all
            of main's history stays.
        before_ms: Milliseconds since 1970.
    """
    by_id = {snapshot.snapshot_id: snapshot for snapshot in snapshots}
    history = list(_history(by_id, main))
    kept = {*refs, *(one.snapshot_id for one in history[: _depth(history, set(needed))])}
    kept.update(one.snapshot_id for one in by_id.values() if one.timestamp_ms >= before_ms)
    kept.update([one.snapshot_id for one in history if one.timestamp_ms < before_ms][:1])
    gone = [one for one in by_id.values() if one.snapshot_id not in kept]
    return [one.snapshot_id for one in sorted(gone, key=lambda one: (one.timestamp_ms, one.snapshot_id))]


def _history(by_id: Mapping[int, Aged], head: int | None) -> Iterator[Aged]:
    while head is not None and head in by_id:
        yield by_id[head]
        head = by_id[head].parent_id


def _depth(history: list[Aged], needed: set[int | None]) -> int:
    """How many of a history, the newest first, must stay."""
    if None in needed:
        return len(history)
    depth, levels = min(1, len(history)), set[str]()
    for number, one in enumerate(history, start=1):
        if one.snapshot_id in needed or one.levels - levels:
            depth = number
        levels |= one.levels
    return depth
