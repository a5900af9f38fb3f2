"""The tables of a star, made to fit the contract of today."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from millrace.adapters import warehouse
from millrace.adapters.star.ledger import Loaded
from millrace.adapters.star.phrases import ROW_KEY, defined, listed, run, table
from millrace.adapters.warehouse import Connection
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.star import Dimension, Star, star_tables, surrogate

_TIME = "timestamp with time zone"
_VERSION = {"valid_from": _TIME, "valid_to": _TIME, "is_current": "boolean"}


@dataclass(frozen=True)
class StarTables:
    """A problem's star, with the Postgres types of the columns that it reads."""

    problem: str
    star: Star
    types: Mapping[str, str]

    @property
    def observed(self) -> sql.Identifier:
        return table(names.observed_table(self.problem))

    @property
    def fact(self) -> sql.Identifier:
        return table(names.fact_table(self.star.fact.name))

    def dimension(self, name: str) -> sql.Identifier:
        return table(names.dimension_table(name))

    @property
    def names(self) -> list[str]:
        """Every table that is this star's alone."""
        return [*star_tables(self.star), names.observed_table(self.problem)]

    def shape(self) -> str:
        """SHA-256 (16 hex digits) of what decides the tables' columns and rows."""
        told = {"star": self.star.model_dump(mode="json"), "types": dict(self.types)}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def dimension_columns(of: StarTables, name: str) -> dict[str, str]:
    """Name → Postgres type of a dimension's columns, the surrogate key left out."""
    dimension = of.star.dimensions[name]
    told = {column: of.types[column] for column in (*dimension.key, *dimension.columns)}
    return told | (_VERSION if dimension.history else {})


def ensure_tables(connection: Connection, of: StarTables, before: Loaded | None) -> bool:
    """Give the star its tables. Where its shape changed, rows are to be loaded anew; members keep their numbers.

    Returns:
        Whether every row has to be loaded.

    Raises:
        MillraceError: If one of the tables belongs to another problem.
    """
    if before is not None and before.shape == of.shape():
        return False
    _refuse_tables_of_others(connection, of)
    # What follows from silver alone is made anew; the numbers of members are known here only.
    gone = {*(before.tables if before else ()), *of.names} - {*map(names.dimension_table, of.star.dimensions)}
    for name in sorted(gone):
        run(connection, "DROP TABLE IF EXISTS {table}", table=table(name))
    _create_observed(connection, of)
    _create_fact(connection, of)
    for name, dimension in of.star.dimensions.items():
        _fit_dimension(connection, of, name, dimension)
    return True


def _refuse_tables_of_others(connection: Connection, of: StarTables) -> None:
    owner = connection.execute(
        "SELECT problem, tables FROM warehouse.star_loaded WHERE problem <> %s AND tables && %s LIMIT 1",
        (of.problem, of.names),
    ).fetchone()
    if owner is not None:
        shared = sorted({*owner[1]} & {*of.names})
        raise MillraceError(
            "A table of the star belongs to another problem",
            place=f"problem {of.problem}, key warehouse",
            found=f"warehouse.{shared[0]} was loaded by problem {owner[0]}",
            expected="names that no other problem's star has",
            fix=f"rename the fact or dimension; if {owner[0]} is no more, drop its tables and its row in"
            " warehouse.star_loaded",
        )


def _create_observed(connection: Connection, of: StarTables) -> None:
    columns = {"event_timestamp": f"{_TIME} NOT NULL", **{name: of.types[name] for name in of.star.columns()}}
    definition = defined({"row_key": ROW_KEY, **columns})
    run(connection, "CREATE TABLE {t} ({columns}, PRIMARY KEY (row_key))", t=of.observed, columns=definition)


def _create_fact(connection: Connection, of: StarTables) -> None:
    told = (*of.star.fact.measures, *of.star.fact.attributes)
    pointers = {surrogate(name): "bigint NOT NULL" for name in of.star.dimensions}
    columns = {"event_timestamp": f"{_TIME} NOT NULL", "date_key": "integer NOT NULL", **pointers}
    definition = defined({"row_key": ROW_KEY, **columns, **{name: of.types[name] for name in told}})
    run(connection, "CREATE TABLE {t} ({columns}, PRIMARY KEY (row_key))", t=of.fact, columns=definition)


def _fit_dimension(connection: Connection, of: StarTables, name: str, dimension: Dimension) -> None:
    """A dimension of another key, or that begins or ends to keep history, is another one and numbered anew."""
    title, columns = names.dimension_table(name), dimension_columns(of, name)
    identity = (*dimension.key, *(("valid_from",) if dimension.history else ()))
    number = surrogate(name)
    there = warehouse.columns_of(connection, title)
    if there and (
        [each for each in dimension.key if there.get(each) != columns[each]]
        or ("valid_from" in there) != ("valid_from" in columns)
        or _identity(connection, title) != [*identity]
    ):
        run(connection, "DROP TABLE {t}", t=table(title))
    run(
        connection,
        "CREATE TABLE IF NOT EXISTS {t} ({number} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {columns},"
        " CONSTRAINT {constraint} UNIQUE ({identity}))",
        t=table(title),
        number=sql.Identifier(number),
        columns=defined(columns),
        constraint=sql.Identifier(f"{title}_identity"),
        identity=listed(identity),
    )
    warehouse.fit_columns(connection, title, {number: "bigint", **columns})
    run(
        connection,
        "INSERT INTO {t} ({number}) OVERRIDING SYSTEM VALUE VALUES (0) ON CONFLICT DO NOTHING",
        t=table(title),
        number=sql.Identifier(number),
    )


def _identity(connection: Connection, title: str) -> list[str]:
    """The columns that tell a dimension's rows apart, in order."""
    found = connection.execute(
        """
        SELECT a.attname FROM pg_constraint c
        CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
        WHERE c.conname = %s AND c.connamespace = 'warehouse'::regnamespace ORDER BY k.place
        """,
        (f"{title}_identity",),
    )
    return [str(row[0]) for row in found]
