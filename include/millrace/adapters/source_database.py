"""The source database: how far a connector has come in its log, and what it is told; and how a role connects to it.

Asked and told as `debezium` and not `application`: it has the right to write signals already, since the connector does,
while the application's role would gain the right to have every row read.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from millrace.adapters.unreachable import unreachable
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.settings import get_settings

QUERY = """
    SELECT active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint, safe_wal_size
    FROM pg_replication_slots WHERE slot_name = %s
"""


@dataclass(frozen=True)
class Slot:
    """The place in the log up to which a connector has confirmed. `wal_status` is `lost` when the log after it is gone;
    `left_bytes` may be written until then, None without a bound."""

    active: bool
    wal_status: str | None
    lag_bytes: int
    left_bytes: int | None


def ping() -> None:
    """Raises `MillraceError` when the database does not let us in."""
    with connection():
        return


def slot(problem: str) -> Slot | None:
    """The slot of a problem's connector; None while there is none.

    Raises:
        MillraceError: If the database cannot be reached.
    """
    with connection() as database:
        return slot_in(database, problem)


def slot_in(database: psycopg.Connection, problem: str) -> Slot | None:
    """The same in any database: the warehouse, too, has the slot of a connector."""
    row = database.execute(QUERY, [names.connector(problem)]).fetchone()
    # A lost slot has no position any more.
    return None if row is None else Slot(row[0], row[1], row[2] or 0, row[3])


def ask_snapshot(problem: str, table: str) -> str:
    """Tells the connector to read every row of a table once more while changes go on; returns the signal's id.

    Raises:
        MillraceError: If the database cannot be reached, or the keeper has not made the table of signals.
    """
    signal = str(uuid.uuid4())
    told = json.dumps({"data-collections": [table], "type": "incremental"})
    _insert(names.signal_table(problem), {"id": signal, "type": "execute-snapshot", "data": told})
    return signal


def ask_anew(problem: str) -> str:
    """Asks the keeper of the connectors to remove a problem's connector, position and slot, and to begin anew.

    Raises:
        MillraceError: If the database cannot be reached, or no keeper was ever there.
    """
    request = str(uuid.uuid4())
    _insert(names.CONNECTOR_REQUESTS, {"id": request, "problem": problem})
    return request


def ask_forget(problem: str) -> str:
    """Asks the keeper to remove a problem's connector, position, slot and tables of ours once its file is gone.

    Raises:
        MillraceError: If the database cannot be reached, or no keeper was ever there.
    """
    request = str(uuid.uuid4())
    _insert(names.CONNECTOR_REQUESTS, {"id": request, "problem": problem, "wish": "forget"})
    return request


def drop_slot(problem: str) -> None:
    """Drops the slot of a problem's connector: the drill that loses one. No stage calls this.

    Raises:
        MillraceError: If the database cannot be reached.
    """
    with connection() as database:
        query = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s"
        database.execute(query, [names.connector(problem)])


def answer(request: str) -> str | None:
    """What the keeper did about a request; None until it did."""
    with connection() as database:
        query = sql.SQL("SELECT answer FROM {} WHERE id = %s").format(_named(names.CONNECTOR_REQUESTS))
        row = database.execute(query, [request]).fetchone()
    return None if row is None else row[0]


def _insert(table: str, values: dict[str, str]) -> None:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        _named(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    try:
        with connection() as database:
            database.execute(statement, values)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise no_table(table, "debezium", error) from error


def no_table(table: str, role: str, error: Exception) -> MillraceError:
    """What to tell when a role does not find a table that the keeper makes."""
    return MillraceError(
        f"The source database has no table {table}",
        place=f"the source database, as its role {role}",
        found=str(error).strip().splitlines()[0],
        expected="what the service connectors makes for each problem that has a section `changes`",
        fix="`make status` shows whether that runs and what it misses",
    )


def away(error: Exception) -> MillraceError:
    """What to tell when the database does not let a role in."""
    settings = get_settings()
    return unreachable(
        "The source database", f"{settings.source_database_host}:{settings.port('source_database')}", error
    )


def _named(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


@contextmanager
def connection(role: str = "debezium") -> Iterator[psycopg.Connection]:
    """A connection whose transaction ends with the block.

    Raises:
        MillraceError: If the database cannot be reached.
    """
    try:
        with psycopg.connect(get_settings().source_dsn(role), connect_timeout=5) as connected:
            yield connected
    except psycopg.OperationalError as error:
        raise away(error) from error
