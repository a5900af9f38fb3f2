"""A table of the source database, read in one snapshot of it by the role that may do nothing else."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import IsolationLevel, sql

from millrace.adapters import source_database
from millrace.domain.extraction import Look, Watermark
from millrace.domain.table_columns import TIMES, TableColumn

ROLE = "extract"
SETTINGS: LiteralString = """
    SET LOCAL timezone = 'UTC';
    SET LOCAL datestyle = 'ISO';
    -- A policy that hides rows from us must stop us: what it hides would be missing, and nobody would know.
    SET LOCAL row_security = off;
    SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
"""
COLUMNS: LiteralString = """
    SELECT a.attname, b.typname, b.typcategory::text, format_type(a.atttypid, a.atttypmod),
        has_schema_privilege(c.relnamespace, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
    WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""


def ping() -> None:
    """Raises `MillraceError` when the database does not let us in."""
    with source_database.connection(ROLE):
        return


@contextmanager
def snapshot() -> Iterator[psycopg.Connection]:
    """A connection that sees one state of the database for as long as the block runs, and can change nothing.

    Raises:
        MillraceError: If the database cannot be reached, or leaves.
    """
    with source_database.connection(ROLE) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute(SETTINGS)
        yield connection


def columns(connection: psycopg.Connection, table: str) -> dict[str, TableColumn] | None:
    """The columns of a table or view; None if there is none of this name."""
    found = connection.execute(COLUMNS, table.split(".")).fetchall()
    return {str(name): TableColumn(*told) for name, *told in found} or None


class Reading:
    """Some columns of a table, in one snapshot. `watermark` is one of them, or None."""

    def __init__(
        self,
        connection: psycopg.Connection,
        table: str,
        chosen: dict[str, TableColumn],
        watermark: str | None,
    ) -> None:
        self._connection = connection
        self._table = sql.Identifier(*table.split("."))
        self._values = sql.SQL(", ").join(_value(name, column) for name, column in chosen.items())
        self._watermark = None if watermark is None else sql.Identifier(watermark)
        self._is_time = watermark is not None and chosen[watermark].kind in TIMES

    def look(self) -> Look:
        """The clock of the database, and how far the watermark has come."""
        if self._watermark is None:
            [read_at] = self._one(sql.SQL("SELECT now()"))
            return Look(read_at, None, None)
        if not self._is_time:
            query = sql.SQL("SELECT now(), max({w}) FROM {table}")
            read_at, greatest = self._one(query.format(w=self._watermark, table=self._table))
            return Look(read_at, greatest, greatest)
        # Years that no calendar of Python has, and infinity, are no level.
        newest = sql.SQL("(SELECT max({w})::timestamptz FROM {table} WHERE {w} BETWEEN '0001-01-02' AND {until})")
        looked = [
            newest.format(w=self._watermark, table=self._table, until=until)
            for until in (sql.SQL("now()"), sql.SQL("'9999-12-30'"))
        ]
        return Look(*self._one(sql.SQL("SELECT now(), {}, {}").format(*looked)))

    def told(self, begin: Watermark | None) -> tuple[int, str]:
        """How many rows there are from a watermark on, and a text that is another one if they are others.

        The order of the rows does not matter, so none is asked for.
        """
        query = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(ROW({values})::text, 0)), 0)::text {rows}")
        rows, digest = self._one(query.format(values=self._values, rows=self._rows(begin)))
        return int(rows), f"{rows}:{digest}"

    def stream(self, begin: Watermark | None) -> Iterator[bytes]:
        """The rows from a watermark on, as CSV without a header: no value is an empty field, an empty text `""`."""
        query = sql.SQL("COPY (SELECT {values} {rows}) TO STDOUT (FORMAT csv)")
        with self._connection.cursor().copy(query.format(values=self._values, rows=self._rows(begin))) as copy:
            for piece in copy:
                yield bytes(piece)

    def _rows(self, begin: Watermark | None) -> sql.Composed:
        if begin is None or self._watermark is None:
            return sql.SQL("FROM {}").format(self._table)
        # A row without a watermark is always new: the contract says what is to become of it.
        where = sql.SQL("FROM {table} WHERE ({w} >= {begin} OR {w} IS NULL)")
        return where.format(table=self._table, w=self._watermark, begin=sql.Literal(begin))

    def _one(self, query: sql.Composed | sql.SQL) -> Sequence[Any]:
        [row] = self._connection.execute(query).fetchall()
        return row


def _value(name: str, column: TableColumn) -> sql.Composable:
    # A time with a zone is told in UTC, as files tell times.
    if column.kind == "timestamptz":
        return sql.SQL("{} AT TIME ZONE 'UTC'").format(sql.Identifier(name))
    return sql.Identifier(name)
