"""The warehouse: schema `warehouse` of the Postgres database of the same name, with one serving table a problem."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from millrace.adapters.postgres_address import noticing
from millrace.adapters.unreachable import unreachable
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.settings import get_settings

Connection = psycopg.Connection[tuple[Any, ...]]

_SCHEMA = "warehouse"
_LEDGER = sql.SQL("""
CREATE TABLE IF NOT EXISTS warehouse.gold_loaded (
    problem text PRIMARY KEY,
    gold_table_uuid text NOT NULL,
    gold_snapshot_id bigint NOT NULL,
    gold_seq bigint NOT NULL,
    rows bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp()
)""")
_PUBLICATION = sql.Identifier(names.connector(names.WAREHOUSE))


_PUBLICATIONS = "SELECT 1 FROM pg_publication WHERE pubname = %s"
_PUBLISHED = "SELECT 1 FROM pg_publication_tables WHERE (pubname, schemaname, tablename) = (%s, %s, %s)"
ASKING = "-c statement_timeout=2000"
"""For a question that a caller waits for: milliseconds, waiting for locks among them."""
_NUMBERS = ("gold_seq", "gold_snapshot_id", "loaded_at")
"""Columns that tell which gold published a row, and no value of it."""


@dataclass(frozen=True)
class Loaded:
    """The high-water mark of a serving table: what of gold it holds."""

    gold_table_uuid: str
    gold_snapshot_id: int
    gold_seq: int
    rows: int


def ping() -> None:
    """Open a connection.

    Raises:
        MillraceError: If the database cannot be reached or refuses us.
    """
    try:
        with connect():
            pass
    except psycopg.OperationalError as error:
        raise _away(error) from error


@contextmanager
def connect(options: str = "") -> Iterator[Connection]:
    """A connection whose transaction commits at the end, or rolls back on an error.

    Args:
        options: Settings of Postgres for it, as `-c name=value`.
    """
    dsn = noticing(get_settings().postgres_dsn("warehouse"))
    with psycopg.connect(dsn, connect_timeout=5, options=options) as connection:
        yield connection


def loaded(problem: str) -> Loaded | None:
    """What was loaded last; None if nothing was."""
    with connect() as connection:
        found = connection.execute("SELECT to_regclass('warehouse.gold_loaded')").fetchone()
        return _loaded(connection, problem) if found and found[0] else None


def lock(connection: Connection, problem: str) -> Loaded | None:
    """Lock a problem's high-water mark until the transaction ends, so that loads follow one another.

    Creates the schema when it is not there.
    """
    take_turns(connection, _LEDGER, f"gold_loaded:{problem}", publication=True)
    return _loaded(connection, problem)


def take_turns(connection: Connection, ledger: sql.SQL, name: str, *, publication: bool = False) -> None:
    """Lock a name until the transaction ends; before, in a transaction of its own, create schema and ledger.

    Args:
        publication: Whether to create the publication, too, to which serving tables belong.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (names.LOCK_OF_WAREHOUSE_SCHEMA,))
    connection.execute("CREATE SCHEMA IF NOT EXISTS warehouse")
    connection.execute(ledger)
    if publication and not connection.execute(_PUBLICATIONS, (names.connector(names.WAREHOUSE),)).fetchone():
        connection.execute(sql.SQL("CREATE PUBLICATION {}").format(_PUBLICATION))
    connection.commit()
    # The row may not exist yet, so the lock is on its name.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))


def ensure_serving_table(connection: Connection, problem: str, columns: Mapping[str, str]) -> bool:
    """Give the serving table exactly these columns; `row_key` is its key. What is written to it is published.

    Args:
        columns: Name → Postgres type.

    Returns:
        Whether a column came, went or changed its type: then rows loaded earlier are incomplete.
    """
    first = sql.SQL("CREATE TABLE IF NOT EXISTS {} (row_key text PRIMARY KEY)").format(serving_table(problem))
    connection.execute(first)
    _publish(connection, names.serving_table(problem))
    return fit_columns(connection, names.serving_table(problem), columns)


def _publish(connection: Connection, table: str) -> None:
    """Have the publication list a table, in the transaction that makes it: readers of the log miss no row then.

    And let Debezium read it, or a snapshot that begins now would fail.
    """
    identifier = sql.Identifier(_SCHEMA, table)
    if not connection.execute(_PUBLISHED, (names.connector(names.WAREHOUSE), _SCHEMA, table)).fetchone():
        connection.execute(sql.SQL("ALTER PUBLICATION {} ADD TABLE {}").format(_PUBLICATION, identifier))
        # The keeper of the connectors makes the role, and lets it read what was there before.
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'debezium'").fetchone():
            connection.execute(sql.SQL("GRANT SELECT ON {} TO debezium").format(identifier))


def fit_columns(connection: Connection, table: str, columns: Mapping[str, str]) -> bool:
    """Give a table of the schema exactly these columns.

    Args:
        columns: Name → Postgres type, as information_schema spells it.

    Returns:
        Whether a column came, went or changed its type.
    """
    there = columns_of(connection, table)
    gone = [name for name, kind in there.items() if columns.get(name) != kind]
    new = {name: kind for name, kind in columns.items() if there.get(name) != kind}
    changes = [sql.SQL("DROP COLUMN {}").format(sql.Identifier(name)) for name in gone]
    changes += [sql.SQL("ADD COLUMN {} {}").format(sql.Identifier(n), sql.SQL(kind)) for n, kind in new.items()]
    if changes:
        identifier = sql.Identifier(_SCHEMA, table)
        connection.execute(sql.SQL("ALTER TABLE {} {}").format(identifier, sql.SQL(", ").join(changes)))
    return bool(changes)


def columns_of(connection: Connection, table: str) -> dict[str, str]:
    """Name → Postgres type of a table of the schema; empty where there is none."""
    found = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
        (_SCHEMA, table),
    )
    return {str(name): str(kind) for name, kind in found}


def stage(connection: Connection, name: str, columns: Mapping[str, str], rows: Iterable[tuple[Any, ...]]) -> int:
    """Copy rows into a temporary table of this transaction.

    Returns:
        How many there were.
    """
    definition = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns.items()
    )
    connection.execute(sql.SQL("CREATE TEMP TABLE {} ({}) ON COMMIT DROP").format(sql.Identifier(name), definition))
    count = 0
    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def upsert(
    connection: Connection, problem: str, staged: str, columns: Mapping[str, str], *, gold_snapshot_id: int
) -> int:
    """Insert the staged rows, or replace those of the same key, with the snapshot they come from and the time.

    A row that has its values already is left as it is: whoever reads the table's changes sees each published row once,
    also when gold was built anew.

    Returns:
        How many rows were written.
    """
    listed = [sql.Identifier(name) for name in columns]
    written = [*listed, sql.Identifier("gold_snapshot_id"), sql.Identifier("loaded_at")]
    values = [sql.Identifier(name) for name in columns if name not in ("row_key", *_NUMBERS)]
    changes = [sql.SQL("{0} = excluded.{0}").format(name) for name in written if name != sql.Identifier("row_key")]
    differs = [sql.SQL("s.{0} IS DISTINCT FROM excluded.{0}").format(name) for name in values]
    return connection.execute(
        sql.SQL(
            "INSERT INTO {table} AS s ({written}) SELECT {listed}, {snapshot}, clock_timestamp() FROM {staged}"
            " ON CONFLICT (row_key) DO UPDATE SET {changes} WHERE {differs}"
        ).format(
            table=serving_table(problem),
            written=sql.SQL(", ").join(written),
            listed=sql.SQL(", ").join(listed),
            snapshot=sql.Literal(gold_snapshot_id),
            staged=sql.Identifier(staged),
            changes=sql.SQL(", ").join(changes),
            differs=sql.SQL(" OR ").join(differs),
        )
    ).rowcount


def delete_missing(connection: Connection, problem: str, staged: str) -> int:
    """Delete the rows whose key is not among the staged ones.

    Returns:
        How many were deleted.
    """
    return connection.execute(
        sql.SQL("DELETE FROM {} s WHERE NOT EXISTS (SELECT FROM {} k WHERE k.row_key = s.row_key)").format(
            serving_table(problem), sql.Identifier(staged)
        )
    ).rowcount


def count(connection: Connection, problem: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(serving_table(problem))).fetchone()
    return int(row[0]) if row else 0


def record(connection: Connection, problem: str, now: Loaded) -> None:
    """Move the high-water mark."""
    connection.execute(
        """
        INSERT INTO warehouse.gold_loaded (problem, gold_table_uuid, gold_snapshot_id, gold_seq, rows)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (problem) DO UPDATE SET (gold_table_uuid, gold_snapshot_id, gold_seq, rows, loaded_at) =
            (excluded.gold_table_uuid, excluded.gold_snapshot_id, excluded.gold_seq, excluded.rows, clock_timestamp())
        """,
        (problem, now.gold_table_uuid, now.gold_snapshot_id, now.gold_seq, now.rows),
    )


def forget(connection: Connection, problem: str) -> None:
    """Drop a problem's serving table and its high-water mark. Harmless when there is neither."""
    lock(connection, problem)
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(serving_table(problem)))
    connection.execute("DELETE FROM warehouse.gold_loaded WHERE problem = %s", (problem,))


def serving_table(problem: str) -> sql.Identifier:
    return sql.Identifier(_SCHEMA, names.serving_table(problem))


def serving_row(problem: str, row_key: str) -> dict[str, Any] | None:
    """The row of a key, column by column, as readers of the serving table see it; None if there is none.

    Raises:
        MillraceError: If the warehouse does not answer within seconds, as while another contract's table is loaded.
    """
    query = sql.SQL("SELECT * FROM {} WHERE row_key = %s").format(serving_table(problem))
    try:
        with connect(ASKING) as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, (row_key,)).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.OperationalError as error:
        raise _away(error) from error


def _away(error: psycopg.OperationalError) -> MillraceError:
    settings = get_settings()
    place = f"database warehouse, {settings.postgres_host}:{settings.port('postgres')}"
    return unreachable("The warehouse", place, error)


def _loaded(connection: Connection, problem: str) -> Loaded | None:
    with connection.cursor(row_factory=class_row(Loaded)) as cursor:
        return cursor.execute(
            "SELECT gold_table_uuid, gold_snapshot_id, gold_seq, rows FROM warehouse.gold_loaded WHERE problem = %s",
            (problem,),
        ).fetchone()
