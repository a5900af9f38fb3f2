"""How far what comes by topics has come, in words for people: whatever does not answer hides nothing else."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from millrace.adapters import keeper_report, lake, source_database, warehouse
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.steps.change_backlog import backlog
from millrace.steps.changes_table import committed_until


@dataclass(frozen=True)
class ChangesState:
    """Each a line of words, of a problem that follows a table."""

    connector: str
    slot: str
    backlog: str
    captured: str


def changes_state(problem: Problem) -> ChangesState:
    return ChangesState(
        connector=_told(lambda: keeper_report.missing(problem.problem) or "running"),
        slot=_told(lambda: _slot(problem)),
        backlog=backlog_words(problem, str(problem.change_topic)),
        captured=_told(lambda: _captured(problem)),
    )


def warehouse_state() -> ChangesState:
    """The same of the serving tables, of which nothing here is a reader: how far those are, they know."""
    return ChangesState(
        connector=_told(lambda: keeper_report.missing(names.WAREHOUSE) or "running"),
        slot=_told(_slot_of_warehouse),
        backlog="",
        captured="",
    )


def _slot_of_warehouse() -> str:
    warehouse.ping()
    with warehouse.connect() as connection:
        slot = source_database.slot_in(connection, names.WAREHOUSE)
    if slot is None or slot.wal_status == "lost":
        return f"{'none' if slot is None else 'lost'}: the service connectors begins anew by itself"
    return _in_words(slot)


def _slot(problem: Problem) -> str:
    slot = source_database.slot(problem.problem)
    if slot is None:
        return f"none: `millrace resnapshot {problem.problem}` if the connector runs for longer than a minute"
    if slot.wal_status == "lost":
        return f"lost, with log that was not read: `millrace resnapshot {problem.problem}`"
    return _in_words(slot)


def _in_words(slot: source_database.Slot) -> str:
    left = "" if slot.left_bytes is None else f", {slot.left_bytes:,} more until it is lost"
    return f"{slot.lag_bytes:,} bytes behind{left}"


def backlog_words(problem: Problem, topic: str) -> str:
    """What waits in a topic that bronze has not taken in."""
    return _told(lambda: _backlog(problem, topic))


def _backlog(problem: Problem, topic: str) -> str:
    lake.ping()
    waits = backlog(problem, topic)
    # Offsets of a range tell no more: an end of a transaction takes one, too.
    if waits.rows == 0 or waits.oldest_at is None:
        return "nothing waits"
    return f"{waits.rows:,} rows, the oldest for {max(0.0, time.time() - waits.oldest_at):,.0f} s"


def _captured(problem: Problem) -> str:
    lake.ping()
    until = committed_until(names.bronze_changes(problem.source_name))
    return "nothing yet" if until is None else f"{until:%Y-%m-%d %H:%M:%S} UTC"


def _told(look: Callable[[], str]) -> str:
    try:
        return look()
    except MillraceError as error:
        return f"not known: {error.problem}; {error.fix}"
    except OSError as error:
        # The lake's files: pyiceberg passes on what the object store's client says.
        return f"not known: {str(error).splitlines()[0]}"
