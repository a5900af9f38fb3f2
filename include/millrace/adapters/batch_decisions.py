"""How each batch that a check refused came to its state. Rows are only ever added."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from millrace.adapters.control import control
from millrace.contract.errors import LostRaceError

State = Literal["refused", "accepted", "rejected"]


@dataclass(frozen=True)
class BatchTransition:
    """One step of a batch's life. `detail` of a refusal says what the batch is; of a rejection, which files."""

    batch: str
    state: State
    actor: str
    reason: str
    detail: dict[str, Any]
    at: datetime


def transitions(problem: str) -> list[BatchTransition]:
    """Every step of the problem's refused batches, the oldest first."""
    with control() as connection:
        rows = connection.execute(
            "SELECT batch, state, actor, reason, detail, at FROM control.batch_transitions"
            " WHERE problem = %s ORDER BY id",
            [problem],
        ).fetchall()
    return [BatchTransition(**row) for row in rows]


def refuse(problem: str, batch: str, *, actor: str, reason: str, detail: dict[str, Any]) -> State:
    """Record that a check refused a batch, once, and tell its state: somebody may have decided it."""
    with control() as connection:
        state = _locked_state(connection, problem, batch)
        if state is None:
            _add(connection, problem, batch, "refused", actor, reason, detail)
    return state or "refused"


def decide(
    problem: str, batch: str, state: Literal["accepted", "rejected"], *, actor: str, reason: str, detail: dict[str, Any]
) -> None:
    """Decide a refused batch.

    Raises:
        LostRaceError: If it is not refused any more: somebody else decided it first.
    """
    with control() as connection:
        found = _locked_state(connection, problem, batch)
        if found != "refused":
            raise LostRaceError(
                f"Batch {batch} of {problem} is decided",
                place="table control.batch_transitions",
                found=found or "no such batch",
                expected="refused, and nothing since",
                fix=f"`millrace batches {problem}` says who decided it, and why",
            )
        _add(connection, problem, batch, state, actor, reason, detail)


def _locked_state(connection: Connection[DictRow], problem: str, batch: str) -> State | None:
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('millrace batch ' || %s, 0))", [problem])
    row = connection.execute(
        "SELECT state FROM control.batch_transitions WHERE problem = %s AND batch = %s ORDER BY id DESC LIMIT 1",
        [problem, batch],
    ).fetchone()
    return row["state"] if row else None


def _add(  # noqa: PLR0917 -- one line of a table, told in the order of its columns
    connection: Connection[DictRow],
    problem: str,
    batch: str,
    state: State,
    actor: str,
    reason: str,
    detail: dict[str, Any],
) -> None:
    connection.execute(
        "INSERT INTO control.batch_transitions (problem, batch, state, actor, reason, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [problem, batch, state, actor, reason, Jsonb(detail)],
    )
