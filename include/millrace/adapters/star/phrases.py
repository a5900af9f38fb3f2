"""Pieces of SQL over columns that a contract names, every name quoted."""

from collections.abc import Iterable, Mapping

from psycopg import sql

from millrace.adapters.warehouse import Connection

ROW_KEY = 'text COLLATE "C"'
"""Type of a row's key: its order breaks ties between rows of one instant, so no locale may decide it."""


def table(name: str) -> sql.Identifier:
    """A table of the schema `warehouse`."""
    return sql.Identifier("warehouse", name)


def listed(columns: Iterable[str], alias: str | None = None) -> sql.Composed:
    """`"a", "b"`, or `x."a", x."b"`. A column at least."""
    return sql.SQL(", ").join(_of(alias, column) for column in columns)


def same(columns: Iterable[str], left: str, right: str) -> sql.Composed:
    """Equality of every column; a null equals nothing."""
    return sql.SQL(" AND ").join(sql.SQL("{} = {}").format(_of(left, c), _of(right, c)) for c in columns)


def differ(columns: Iterable[str], left: str, right: str) -> sql.Composable:
    """Whether a column differs; null is a value like any other."""
    told = tuple(columns)
    if not told:
        return sql.SQL("FALSE")
    return sql.SQL("ROW({}) IS DISTINCT FROM ROW({})").format(listed(told, left), listed(told, right))


def known(columns: Iterable[str], alias: str) -> sql.Composed:
    """No column is null."""
    return sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(_of(alias, column)) for column in columns)


def assigned(columns: Iterable[str], source: str) -> sql.Composed:
    """`"a" = x."a", …` for an UPDATE."""
    return sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(c), _of(source, c)) for c in columns)


def defined(columns: Mapping[str, str]) -> sql.Composed:
    """`"a" text, …` for a CREATE TABLE."""
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()
    )


def run(connection: Connection, text: str, **parts: sql.Composable) -> int:
    """Run a statement with its parts filled in.

    Returns:
        How many rows it wrote.
    """
    return connection.execute(sql.SQL(text).format(**parts)).rowcount


def rows_of(connection: Connection, identifier: sql.Identifier) -> int:
    """How many rows a table holds."""
    found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(identifier)).fetchone()
    return int(found[0]) if found else 0


def _of(alias: str | None, column: str) -> sql.Composable:
    return sql.Identifier(column) if alias is None else sql.Identifier(alias, column)
