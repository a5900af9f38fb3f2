"""From when to when each version of a problem led, who put it in force, and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from millrace.adapters.control import control


@dataclass(frozen=True)
class Reign:
    """One version's time as the champion: from one move to the next. `until` is None while it leads."""

    version: int
    generation: int
    since: datetime
    until: datetime | None
    actor: str
    reason: str


# A champion that was withdrawn has no successor that names it: its end is the transition that the withdrawal added.
_REIGNS = """
    SELECT version, generation, moved_at AS since, actor, reason, CASE
        WHEN next_replaces = generation THEN next_at
        ELSE (
            SELECT min(at) FROM control.version_transitions AS step
            WHERE step.problem = led.problem AND step.version = led.version AND step.state = 'retired'
                AND step.at >= moved_at AND (next_at IS NULL OR step.at <= next_at)
        ) END AS until
    FROM (
        SELECT *, lead(moved_at) OVER by_generation AS next_at, lead(replaces) OVER by_generation AS next_replaces
        FROM control.champion_history WHERE problem = %(problem)s
        WINDOW by_generation AS (ORDER BY generation)
    ) AS led
    ORDER BY generation DESC LIMIT %(last)s
"""


def reigns(problem: str, *, last: int | None = None) -> list[Reign]:
    """Every champion that the problem had (or the `last` so many), the newest first."""
    with control() as connection:
        rows = connection.execute(_REIGNS, {"problem": problem, "last": last}).fetchall()
    return [Reign(**row) for row in rows]


def leading(found: Iterable[Reign], at: datetime) -> Reign | None:
    """The one that led at a time, None if none did. At the moment of a move the new one leads."""
    return next((one for one in found if one.since <= at and (one.until is None or at < one.until)), None)
