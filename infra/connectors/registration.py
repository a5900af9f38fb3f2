"""A connector in Connect: as the contract says, of the epoch that the source database has; restarted when it failed."""

import json
import re
from pathlib import Path
from typing import Any

import psycopg

from infra.connectors import rest, source_tables
from infra.connectors.rendering import EPOCH_LITERAL, render
from infra.files import write_private
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.contract.source_epoch import SourceEpoch, begun_anew, following
from millrace.settings import Settings

TABLES = "table.include.list"
BRACKETS = re.compile(r"\[.*\]")


def register(problem: Problem, database: str, connection: psycopg.Connection, settings: Settings, *, now: float) -> str:
    """Makes Connect have the connector as the contract says; returns in words what it did, empty when nothing.

    Args:
        database: System identifier and timeline of the source database.
        connection: To it, as its superuser.
    """
    name = names.connector(problem.problem)
    registered: dict[str, str] | None = rest.call(settings, "GET", f"/connectors/{name}/config")
    previous = _epoch(registered)
    epoch = following(previous, database, now=now)
    wanted = render(problem, settings, epoch)
    _write(problem, wanted, settings)
    if registered == wanted | {"name": name}:
        return ""
    # Left where it was, it would go on behind the rows that another table has already, and pass over those that are
    # committed until it has begun again (seen).
    if registered is not None and (previous != epoch or registered.get(TABLES) != wanted[TABLES]):
        forget(problem.problem, connection, settings)
    rest.call(settings, "PUT", f"/connectors/{name}/config", wanted)
    if registered is None:
        return f"registered, epoch {epoch}"
    if previous != epoch:
        return f"registered anew: the source database is of another epoch, {epoch}; every row is read once more"
    changed = sorted(key for key in {*registered, *wanted} - {"name"} if registered.get(key) != wanted.get(key))
    return f"registered anew: {', '.join(changed)} changed"


def begin_anew(
    problem: Problem, database: str, connection: psycopg.Connection, settings: Settings, *, now: float
) -> str:
    """Removes connector, position and slot, and registers anew, under a new epoch though the database is the same.

    Log was lost before it was read, and deletions with it. An epoch begins with a snapshot of every row, so what the
    snapshot lacks is treated as where the database was restored.
    """
    name = names.connector(problem.problem)
    registered: dict[str, str] | None = rest.call(settings, "GET", f"/connectors/{name}/config")
    epoch = begun_anew(_epoch(registered), database, now=now)
    wanted = render(problem, settings, epoch)
    if registered is None:
        # Killed after it was removed, or nobody ever registered it.
        source_tables.drop_slot(connection, problem.problem)
    else:
        forget(problem.problem, connection, settings)
    _write(problem, wanted, settings)
    rest.call(settings, "PUT", f"/connectors/{name}/config", wanted)
    return f"registered anew, as it was asked for, epoch {epoch}; every row is read once more"


def state(problem: str, settings: Settings) -> dict[str, Any] | None:
    """What Connect says of the connector and its tasks; None when it knows none."""
    status: dict[str, Any] | None = rest.call(settings, "GET", f"/connectors/{names.connector(problem)}/status")
    return status


def in_words(status: dict[str, Any] | None) -> str | None:
    """Why a connector does not bring changes, by its status; None when it does."""
    if status is None:
        return "not registered"
    parts = [status["connector"], *status["tasks"]]
    for part in parts:
        if part["state"] != "RUNNING":
            first = str(part.get("trace", "")).strip().splitlines()[:1]
            # Debezium prints the whole of its state in brackets, before what it is about.
            return ": ".join([part["state"], *(BRACKETS.sub("[…]", line) for line in first)])
    return None if status["tasks"] else "no task yet"


def failed(status: dict[str, Any] | None) -> bool:
    parts = [status["connector"], *status["tasks"]] if status else []
    return any(part["state"] == "FAILED" for part in parts)


def restart_failed(problem: str, settings: Settings) -> None:
    path = f"/connectors/{names.connector(problem)}/restart?includeTasks=true&onlyFailed=true"
    rest.call(settings, "POST", path)


def forget(problem: str, connection: psycopg.Connection, settings: Settings) -> None:
    """Removes the connector, its position in the log, and its slot; table, publication and topic stay.

    Killed anywhere in between, the next look begins again: the connector, which has the old epoch, goes last.
    """
    name = names.connector(problem)
    rest.call(settings, "PUT", f"/connectors/{name}/stop")
    rest.call(settings, "DELETE", f"/connectors/{name}/offsets")
    source_tables.drop_slot(connection, problem)
    rest.call(settings, "DELETE", f"/connectors/{name}")


def _epoch(registered: dict[str, str] | None) -> SourceEpoch | None:
    try:
        return SourceEpoch.parse((registered or {}).get(EPOCH_LITERAL, ""))
    except ValueError:
        return None


def _write(problem: Problem, wanted: dict[str, str], settings: Settings) -> None:
    """For people: what was registered, word by word."""
    path = folder(settings) / f"{problem.problem}.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps(wanted, indent=1) + "\n"
    if not path.exists() or path.read_text() != text:
        write_private(path, text)


def folder(settings: Settings) -> Path:
    return settings.home / "connectors"
