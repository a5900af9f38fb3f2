"""Which version of each problem is in force, moved only by compare-and-set, and how every version came to its state."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from millrace.adapters import problem_holds
from millrace.adapters.control import control
from millrace.contract.errors import LostRaceError, MillraceError

State = Literal["registered", "passed", "refused", "challenger", "champion", "retired"]


@dataclass(frozen=True)
class Champion:
    """The version in force. `generation` rises with every move of the problem and never repeats; `replaces` is the
    generation before, None where there was no champion. `gold_snapshot` is what the version was registered with: its
    package may be an earlier version's, of the same content and of another snapshot. As text, for it has 19 digits."""

    problem: str
    version: int
    uri: str
    content_hash: str
    generation: int
    replaces: int | None
    actor: str
    reason: str
    moved_at: datetime
    gold_snapshot: str | None


@dataclass(frozen=True)
class Transition:
    """One step of a version's life; these rows are only ever added."""

    version: int
    state: State
    actor: str
    reason: str
    detail: dict[str, Any] | None
    at: datetime


@dataclass(frozen=True)
class Hold:
    """A content that may not become champion until somebody releases it; `released_…` is None until then."""

    content_hash: str
    actor: str
    reason: str
    held_at: datetime
    released_by: str | None
    release_reason: str | None
    released_at: datetime | None


CHAMPION = "problem, version, uri, content_hash, generation, replaces, actor, reason, moved_at"
TOLD = f"""{CHAMPION}, (
    SELECT detail ->> 'gold_snapshot' FROM control.version_transitions AS step
    WHERE step.problem = found.problem AND step.version = found.version AND state = 'registered' AND detail IS NOT NULL
    ORDER BY id DESC LIMIT 1
) AS gold_snapshot"""
"""The columns of `Champion`, from a table named `found`."""
_CURRENT = f"SELECT {TOLD} FROM control.champion AS found WHERE problem = %s"


def current(problem: str) -> Champion | None:
    """The champion of a problem, or None before its first deployment."""
    with control() as connection:
        row = connection.execute(_CURRENT, [problem]).fetchone()
    return Champion(**row) if row else None


def all_champions() -> list[Champion]:
    """The champion of every problem that has one, by name."""
    with control() as connection:
        rows = connection.execute(f"SELECT {TOLD} FROM control.champion AS found ORDER BY problem").fetchall()
    return [Champion(**row) for row in rows]


def history(problem: str) -> list[Champion]:
    """Every champion the problem had, the newest first."""
    query = f"SELECT {TOLD} FROM control.champion_history AS found WHERE problem = %s ORDER BY generation DESC"
    with control() as connection:
        rows = connection.execute(query, [problem]).fetchall()
    return [Champion(**row) for row in rows]


def has_led(problem: str, version: int) -> bool:
    """Whether a version was ever the champion."""
    return any(led.version == version for led in history(problem))


def move(
    problem: str,
    *,
    version: int,
    uri: str,
    content_hash: str,
    expected_generation: int,
    actor: str,
    reason: str,
    holding: str | None = None,
) -> Champion:
    """Put a version in force, if the champion is still the one of `expected_generation` (0: there is none).

    The move, its history and the transitions (old version retired, new one champion) are one transaction.

    Args:
        holding: Of a rollback: why the content that is replaced is barred and the problem is held, in the same
            transaction, so that one which loses the race bars nothing, and one that wins leaves no gap for a promotion.

    Raises:
        LostRaceError: If somebody else moved the champion first.
    """
    new = {"problem": problem, "version": version, "uri": uri, "content_hash": content_hash}
    new |= {"actor": actor, "reason": reason, "replaces": expected_generation or None}
    with control() as connection:
        old = _locked(connection, problem)
        if (old.generation if old else 0) != expected_generation:
            raise _lost_race(problem, expected_generation, old)
        if holding is not None and old is not None:
            _bar(connection, problem, old.content_hash, actor=actor, reason=holding)
            problem_holds.place(connection, problem, actor=actor, reason=holding)
        moved = connection.execute(
            """
            INSERT INTO control.champion_history
                (problem, version, uri, content_hash, generation, replaces, actor, reason)
            SELECT %(problem)s, %(version)s, %(uri)s, %(content_hash)s,
                1 + coalesce(max(generation), 0), %(replaces)s::bigint, %(actor)s, %(reason)s
            FROM control.champion_history WHERE problem = %(problem)s
            RETURNING problem, generation
            """,
            new,
        ).fetchone()
        assert moved is not None
        connection.execute("DELETE FROM control.champion WHERE problem = %s", [problem])
        connection.execute(
            f"INSERT INTO control.champion ({CHAMPION}) SELECT {CHAMPION} FROM control.champion_history"
            " WHERE problem = %(problem)s AND generation = %(generation)s",
            moved,
        )
        if old and old.version != version:
            _add_transition(connection, problem, old.version, "retired", actor, f"replaced by version {version}")
        _add_transition(connection, problem, version, "champion", actor, reason, {"generation": moved["generation"]})
        row = connection.execute(_CURRENT, [problem]).fetchone()
        assert row is not None
    return Champion(**row)


def withdraw(problem: str, *, expected_generation: int, actor: str, reason: str) -> None:
    """Leave the problem without a champion: what remains when the very first one proves bad.

    Raises:
        LostRaceError: If somebody else moved the champion first.
    """
    with control() as connection:
        old = _locked(connection, problem)
        if old is None or old.generation != expected_generation:
            raise _lost_race(problem, expected_generation, old)
        connection.execute("DELETE FROM control.champion WHERE problem = %s", [problem])
        _add_transition(connection, problem, old.version, "retired", actor, reason)


def record_transition(  # noqa: PLR0917 -- one line of a table, told in the order of its columns
    problem: str, version: int, state: State, actor: str, reason: str, detail: dict[str, Any] | None = None
) -> None:
    """Add one step to a version's life. `registered` carries the package: uri, content_hash, gold_snapshot."""
    with control() as connection:
        _add_transition(connection, problem, version, state, actor, reason, detail)


def transitions(problem: str, version: int | None = None) -> list[Transition]:
    """Every step of the problem's versions (or of one version), the oldest first."""
    query = """
        SELECT version, state, actor, reason, detail, at FROM control.version_transitions
        WHERE problem = %(problem)s AND (%(version)s::integer IS NULL OR version = %(version)s) ORDER BY id
    """
    with control() as connection:
        rows = connection.execute(query, {"problem": problem, "version": version}).fetchall()
    return [Transition(**row) for row in rows]


def state_of(problem: str, version: int) -> State | None:
    """The state a version is in, or None for a version that was never registered."""
    steps = transitions(problem, version)
    return steps[-1].state if steps else None


def registration(problem: str, version: int) -> dict[str, Any]:
    """What was recorded when the version was registered: uri, content_hash, gold_snapshot.

    Raises:
        MillraceError: If the version was never registered, naming those that were.
    """
    steps = transitions(problem)
    for step in reversed(steps):
        if step.version == version and step.state == "registered" and step.detail:
            return step.detail
    known = sorted({step.version for step in steps if step.state == "registered"})
    raise MillraceError(
        f"Problem {problem} has no version {version}",
        place="table control.version_transitions",
        found=f"registered versions: {known or 'none'}",
        expected=f"a registered version {version}",
        fix=f"`millrace history {problem}` lists the versions",
    )


def hold(problem: str, content_hash: str, *, actor: str, reason: str) -> None:
    """Bar a content from becoming champion. Holding it twice changes nothing."""
    with control() as connection:
        _bar(connection, problem, content_hash, actor=actor, reason=reason)


def release(problem: str, content_hash: str, *, actor: str, reason: str) -> bool:
    """End the hold on a content; False if there was none."""
    with control() as connection:
        done = connection.execute(
            "UPDATE control.holds SET released_by = %s, release_reason = %s, released_at = clock_timestamp()"
            " WHERE problem = %s AND content_hash = %s AND released_at IS NULL",
            [actor, reason, problem, content_hash],
        )
        return done.rowcount > 0


def barred(problem: str, content_hash: str) -> Hold | None:
    """The open hold on a content, if any."""
    return next((one for one in holds(problem) if one.content_hash == content_hash and one.released_at is None), None)


def holds(problem: str) -> list[Hold]:
    """Every hold that a problem's contents had, released ones too, the oldest first."""
    query = """
        SELECT content_hash, actor, reason, held_at, released_by, release_reason, released_at
        FROM control.holds WHERE problem = %s ORDER BY id
    """
    with control() as connection:
        rows = connection.execute(query, [problem]).fetchall()
    return [Hold(**row) for row in rows]


def _bar(connection: Connection[DictRow], problem: str, content_hash: str, *, actor: str, reason: str) -> None:
    connection.execute(
        "INSERT INTO control.holds (problem, content_hash, actor, reason) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (problem, content_hash) WHERE released_at IS NULL DO NOTHING",
        [problem, content_hash, actor, reason],
    )


def _locked(connection: Connection[DictRow], problem: str) -> Champion | None:
    # The first champion has no row to lock yet, so the lock is on the name.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('millrace champion ' || %s, 0))", [problem])
    row = connection.execute(_CURRENT, [problem]).fetchone()
    return Champion(**row) if row else None


def _add_transition(  # noqa: PLR0917
    connection: Connection[DictRow],
    problem: str,
    version: int,
    state: State,
    actor: str,
    reason: str,
    detail: dict[str, Any] | None = None,
) -> None:
    connection.execute(
        "INSERT INTO control.version_transitions (problem, version, state, actor, reason, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [problem, version, state, actor, reason, Jsonb(detail) if detail is not None else None],
    )


def _lost_race(problem: str, expected: int, found: Champion | None) -> LostRaceError:
    live = f"generation {found.generation}, version {found.version}, moved by {found.actor}" if found else "no champion"
    return LostRaceError(
        f"The champion of {problem} was moved by somebody else",
        place="table control.champion",
        found=live,
        expected=f"generation {expected}" if expected else "no champion yet",
        fix="look at the new champion (`millrace history`), then decide again",
    )
