"""Holds of whole problems: after a rollback nothing is promoted by itself until a person releases the problem."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import DictRow

from millrace.adapters.control import control


@dataclass(frozen=True)
class ProblemHold:
    """A time in which no version of a problem is promoted by itself; `released_…` is None until it ends."""

    actor: str
    reason: str
    held_at: datetime
    released_by: str | None
    release_reason: str | None
    released_at: datetime | None


def place(connection: Connection[DictRow], problem: str, *, actor: str, reason: str) -> None:
    """Hold a problem, in the transaction of the rollback that asks for it. Held twice, the first hold stays."""
    connection.execute(
        "INSERT INTO control.problem_holds (problem, actor, reason) VALUES (%s, %s, %s)"
        " ON CONFLICT (problem) WHERE released_at IS NULL DO NOTHING",
        [problem, actor, reason],
    )


def release(problem: str, *, actor: str, reason: str) -> bool:
    """End the hold of a problem; False if there was none."""
    with control() as connection:
        done = connection.execute(
            "UPDATE control.problem_holds SET released_by = %s, release_reason = %s, released_at = clock_timestamp()"
            " WHERE problem = %s AND released_at IS NULL",
            [actor, reason, problem],
        )
        return done.rowcount > 0


def current(problem: str) -> ProblemHold | None:
    """The open hold of a problem, if any."""
    return next((one for one in every(problem) if one.released_at is None), None)


def every(problem: str) -> list[ProblemHold]:
    """Every hold that the problem had, released ones too, the oldest first."""
    query = """
        SELECT actor, reason, held_at, released_by, release_reason, released_at
        FROM control.problem_holds WHERE problem = %s ORDER BY id
    """
    with control() as connection:
        rows = connection.execute(query, [problem]).fetchall()
    return [ProblemHold(**row) for row in rows]
