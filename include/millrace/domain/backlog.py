"""Whether a backlog of changes is to be told: large enough, or old enough, and not just told already."""

from collections.abc import Mapping
from dataclasses import dataclass

from millrace.contract.changes import Changes


@dataclass(frozen=True)
class Backlog:
    """What waits in a topic. `oldest_at` is when its oldest message was sent, seconds since 1970; None: none waits."""

    rows: int
    oldest_at: float | None
    start: Mapping[int, int]
    end: Mapping[int, int]


@dataclass(frozen=True)
class Firing:
    """That an ingestion is to start.

    Attributes:
        why: In words, as of now.
        level: The same without anything that grows while nobody takes it in.
        start: Offsets from which on it is to take in; none where that cannot be told.
    """

    why: str
    level: str
    start: Mapping[int, int]
    rows: int


@dataclass(frozen=True)
class Told:
    """The last time that a backlog was told: from which offsets on, and when."""

    start: Mapping[int, int]
    at: float


def reason(backlog: Backlog, changes: Changes, *, now: float) -> str | None:
    """In words, why the backlog fires; None when it may wait."""
    # Offsets that are markers of transactions only have no oldest message, and bring no row.
    if backlog.rows == 0 or backlog.oldest_at is None:
        return None
    if backlog.rows >= changes.rows:
        return f"{backlog.rows} messages wait, {changes.rows} are enough"
    # A producer's clock may be ahead of ours: then its message is as old as nothing, and `rows` or time decide.
    age = max(0.0, now - backlog.oldest_at)
    if age >= changes.seconds:
        return f"the oldest of {backlog.rows} messages waits for {age:.0f} s, {changes.seconds:g} are enough"
    return None


def is_to_be_told(found: Firing, last: Told | None, *, now: float, retry_seconds: float) -> bool:
    """Whether it is told now: a run took something in since it was told, or that was too long ago.

    Not because something came: a run that is under way takes it in, and then the start moves; one that failed fails
    again, whatever came.
    """
    return last is None or last.start != found.start or now - last.at >= retry_seconds
