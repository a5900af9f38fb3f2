"""A connector in Connect: as it is to be, of the epoch that its database has; restarted when it failed.

`problem` is whose it is, also the warehouse (`names.WAREHOUSE`), which is none.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from infra.connectors import rest, source_tables
from infra.connectors.rendering import EPOCH_LITERAL
from infra.files import write_private
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.source_epoch import SourceEpoch, begun_anew
from millrace.settings import Settings

Render = Callable[[SourceEpoch], dict[str, str]]
"""The configuration that a connector is to have in an epoch."""
TABLES = "table.include.list"
BRACKETS = re.compile(r"\[.*\]")


def registered(problem: str, settings: Settings) -> dict[str, str] | None:
    """The connector's configuration as Connect has it; None when there is no such connector.

    Raises:
        MillraceError: If the worker does not answer, or does not know yet which connectors there are.
    """
    name = names.connector(problem)
    found: dict[str, str] | None = rest.call(settings, "GET", f"/connectors/{name}/config")
    if found is not None:
        return found
    # A worker that is starting says of every path that it is not there, and of the next one that it is (seen).
    there: list[str] | None = rest.call(settings, "GET", "/connectors")
    if there is None or name in there:
        raise MillraceError(
            "Kafka Connect is starting",
            place=f"{settings.kafka_connect_url}/connectors",
            found="no path yet" if there is None else f"{name}, of which it knew nothing a moment before",
            expected="the same answer twice",
            fix="none is needed: it is asked again",
        )
    return None


def why_anew(render: Render, database: str, found: dict[str, str] | None) -> str | None:
    """In words, why the connector has to begin with a snapshot of every row; None where it goes on from where it is.

    Args:
        database: System identifier and timeline of the database that is followed.
        found: What Connect has of it.
    """
    if found is None:
        # It may be new; but Connect keeps the position of one that somebody deleted, and so does its slot (seen).
        return "no connector was there"
    epoch = _epoch(found)
    if epoch is None or epoch.database != database:
        return "the database is of another epoch"
    if found.get(TABLES) != render(epoch)[TABLES]:
        # Left where it was, it would go on behind the rows that another table has already, and pass over those that are
        # committed until it has begun again (seen). The epoch is another, for what the table before held is no more.
        return f"{TABLES} changed"
    return None


def register(problem: str, render: Render, found: dict[str, str], settings: Settings) -> str:
    """Makes Connect have the connector as it is to be; returns in words what it did, empty when nothing."""
    epoch = _epoch(found)
    assert epoch is not None, "why_anew tells of it"
    wanted = render(epoch)
    _write(problem, wanted, settings)
    changed = sorted(key for key in {*found, *wanted} - {"name"} if found.get(key) != wanted.get(key))
    if not changed:
        return ""
    rest.call(settings, "PUT", f"/connectors/{names.connector(problem)}/config", wanted)
    return f"registered anew: {', '.join(changed)} changed"


def begin_anew(
    problem: str,
    render: Render,
    database: str,
    connection: psycopg.Connection,
    settings: Settings,
    *,
    why: str,
    now: float,
) -> str:
    """Has the connector lose its position and its slot, and begin a new epoch, also where the database is the same.

    An epoch begins with a snapshot of every row, and what the snapshot lacks is no more. Killed anywhere in between, it
    must be done once more from its beginning, under a later epoch: of the snapshot that had begun, rows may be deleted.

    Args:
        connection: To that database, as its superuser.
    """
    name, found = names.connector(problem), registered(problem, settings)
    epoch = begun_anew(_newest(_epoch(found), _written(problem, settings)), database, now=now)
    wanted = render(epoch)
    _write(problem, wanted, settings)
    if found is None:
        _register_stopped(name, wanted, settings)
    else:
        rest.call(settings, "PUT", f"/connectors/{name}/stop")
        rest.call(settings, "PUT", f"/connectors/{name}/config", wanted)
    _lose_position(problem, connection, settings)
    rest.call(settings, "PUT", f"/connectors/{name}/resume")
    return f"registered{'' if found is None else ' anew'}: {why}, epoch {epoch}; every row is read"


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


def forget(problem: str, connection: psycopg.Connection, settings: Settings) -> str:
    """Removes all that outlives a problem's file, but the application's table and what stands in topics; in words.

    Killed anywhere in between, it is done once more. Harmless when some of it is gone.
    """
    name, file = names.connector(problem), _file(problem, settings)
    found = registered(problem, settings)
    if found is not None:
        rest.call(settings, "PUT", f"/connectors/{name}/stop")
    elif file.exists():
        # Only a connector can be told to lose its position. It demands no epoch: the database may be another.
        told = json.loads(file.read_text()) | {"database.initial.statements": "SELECT 1"}
        _register_stopped(name, told, settings)
    if found is not None or file.exists():
        _lose_position(problem, connection, settings)
        rest.call(settings, "DELETE", f"/connectors/{name}")
    source_tables.drop_slot(connection, problem)
    source_tables.unfollow(connection, problem)
    file.unlink(missing_ok=True)
    return "connector, position, slot, publication, heartbeats and signals are gone"


def _register_stopped(name: str, config: dict[str, str], settings: Settings) -> None:
    rest.call(settings, "POST", "/connectors", {"name": name, "config": config, "initial_state": "STOPPED"})


def _lose_position(problem: str, connection: psycopg.Connection, settings: Settings) -> None:
    """Of a connector that is stopped: where it was in the log, as Connect and as the database has it."""
    rest.call(settings, "DELETE", f"/connectors/{names.connector(problem)}/offsets")
    source_tables.drop_slot(connection, problem)


def _epoch(config: dict[str, str] | None) -> SourceEpoch | None:
    try:
        return SourceEpoch.parse((config or {}).get(EPOCH_LITERAL, ""))
    except ValueError:
        return None


def _newest(*epochs: SourceEpoch | None) -> SourceEpoch | None:
    return max((epoch for epoch in epochs if epoch is not None), default=None)


def _written(problem: str, settings: Settings) -> SourceEpoch | None:
    """The epoch that was written down: of a connector that somebody deleted, nobody else knows it."""
    try:
        return _epoch(json.loads(_file(problem, settings).read_text()))
    except (OSError, ValueError):
        return None


def _write(problem: str, wanted: dict[str, str], settings: Settings) -> None:
    """For people: what was registered, word by word."""
    path = _file(problem, settings)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps(wanted, indent=1) + "\n"
    if not path.exists() or path.read_text() != text:
        write_private(path, text)


def _file(problem: str, settings: Settings) -> Path:
    return folder(settings) / f"{problem}.json"


def folder(settings: Settings) -> Path:
    return settings.home / "connectors"
