"""Whether a backlog of a topic is to be told: large enough, or old enough, and not just told already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from millrace.contract.intake import Intake


@dataclass(frozen=True)
class Backlog:
    """What waits in a topic. `oldest_at` is when its oldest message was sent, seconds since 1970; None: none waits."""

    rows: int
    oldest_at: float | None
    start: Mapping[int, int]
    end: Mapping[int, int]


Starts = Mapping[tuple[str, int], int]
"""Topic and partition → the offset from which on it is to be taken in."""


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
    start: Starts
    rows: int


@dataclass(frozen=True)
class Told:
    """The last time that a backlog was told: from which offsets on, and when."""

    start: Starts
    at: float


def together(firings: Sequence[Firing]) -> Firing | None:
    """What several topics of a problem ask for at once; None where none asks for anything."""
    if not firings:
        return None
    return Firing(
        why="; ".join(one.why for one in firings),
        level="; ".join(one.level for one in firings),
        start={place: offset for one in firings for place, offset in one.start.items()},
        rows=sum(one.rows for one in firings),
    )


def reason(backlog: Backlog, intake: Intake, *, now: float) -> str | None:
    """In words, why the backlog fires; None when it may wait."""
    # Offsets that are markers of transactions only have no oldest message, and bring no row.
    if backlog.rows == 0 or backlog.oldest_at is None:
        return None
    if backlog.rows >= intake.rows:
        return f"{backlog.rows} messages wait, {intake.rows} are enough"
    # A producer's clock may be ahead of ours: then its message is as old as nothing, and `rows` or time decide.
    age = max(0.0, now - backlog.oldest_at)
    if age >= intake.seconds:
        return f"the oldest of {backlog.rows} messages waits for {age:.0f} s, {intake.seconds:g} are enough"
    return None


def is_to_be_told(found: Firing, last: Told | None, *, now: float, retry_seconds: float) -> bool:
    """Whether it is told now: a run took something in since it was told, or that was too long ago.

    Not because something came: a run that is under way takes it in, and then the start moves; one that failed fails
    again, whatever came.
    """
    return last is None or last.start != found.start or now - last.at >= retry_seconds
