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
class Told:
    """The last time that a backlog was told: from where to where, and when."""

    start: Mapping[int, int]
    end: Mapping[int, int]
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


def is_to_be_told(backlog: Backlog, changes: Changes, last: Told | None, *, now: float) -> str | None:
    """In words, why the backlog is told now: it fires, and something came since it was told, or a run took some of it
    and left the rest, or that was too long ago."""
    why = reason(backlog, changes, now=now)
    if why is None or last is None or (last.start, last.end) != (backlog.start, backlog.end):
        return why
    return f"{why}; told {now - last.at:.0f} s ago" if now - last.at >= changes.retry_seconds else None
