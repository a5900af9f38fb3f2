"""The schema `predictions` of the warehouse database: a table for each problem, a partition for each day, made ahead.

A problem's name never begins with an underscore, so partitions and the table of refused rows do.
"""

from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[tuple[Any, ...]]

SCHEMA = "predictions"
REFUSED_ROWS = "_refused_rows"
MADE_AHEAD = timedelta(days=1)
"""So that nobody waits at midnight for the lock that a new partition takes."""
WAIT_SECONDS = 5
"""For the lock that making or dropping a partition needs, so that nobody queues up behind it for longer."""

_TABLE = sql.SQL("""
CREATE TABLE IF NOT EXISTS {table} (
    day date NOT NULL,
    id uuid NOT NULL,
    time timestamptz NOT NULL,
    version integer NOT NULL,
    entity text,
    features jsonb NOT NULL,
    probability double precision NOT NULL,
    risk_category text NOT NULL,
    decision boolean NOT NULL,
    factors jsonb NOT NULL,
    decided_by text NOT NULL,
    key_id text,
    latency_seconds double precision NOT NULL,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day)""")
_REFUSED = sql.SQL("""
CREATE TABLE IF NOT EXISTS {table} (
    day date NOT NULL,
    id uuid NOT NULL,
    time timestamptz NOT NULL,
    problem text NOT NULL,
    version integer NOT NULL,
    key_id text,
    rows_answered integer NOT NULL,
    rows_refused integer NOT NULL,
    PRIMARY KEY (day, id)
)""")
_PARTITIONS = """
SELECT child.relname FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
JOIN pg_namespace space ON space.oid = parent.relnamespace
WHERE (space.nspname, parent.relname) = (%s, %s) ORDER BY 1
"""


def table_of(problem: str) -> sql.Identifier:
    return sql.Identifier(SCHEMA, problem)


def ensure(connection: Connection, problem: str, days: AbstractSet[date]) -> None:
    """Make the problem's table, and a partition for each of some days and the day after.

    In the transaction of the caller, which other processes wait for that make the same.
    """
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{WAIT_SECONDS}s")))
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('millrace predictions', 0))")
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
    connection.execute(_REFUSED.format(table=table_of(REFUSED_ROWS)))
    connection.execute(_TABLE.format(table=table_of(problem)))
    connection.execute(
        sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} (entity, day DESC, id DESC)").format(
            sql.Identifier(f"_{problem}_entity"), table_of(problem)
        )
    )
    there = set(partitions(connection, problem))
    wanted = days | {day + MADE_AHEAD for day in days}
    for day in sorted(wanted - there):
        connection.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                _partition(problem, day), table_of(problem), sql.Literal(day), sql.Literal(day + timedelta(days=1))
            )
        )


def partitions(connection: Connection, problem: str) -> list[date]:
    """The days that the problem has a partition for."""
    found = connection.execute(_PARTITIONS, (SCHEMA, problem)).fetchall()
    return [datetime.strptime(name[-8:], "%Y%m%d").date() for (name,) in found]  # noqa: DTZ007 -- a day has no zone


def drop_before(connection: Connection, problem: str, first_kept: date) -> tuple[list[date], int]:
    """Drop the partitions of earlier days, and the counts of rows refused then; each partition by itself.

    A partition that is being read for long is left for the next time.

    Returns:
        The days that are gone, and how many predictions they held.
    """
    gone, rows = [], 0
    for day in partitions(connection, problem):
        if day >= first_kept:
            continue
        partition = _partition(problem, day)
        with suppress(psycopg.errors.LockNotAvailable), connection.transaction():
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{WAIT_SECONDS}s")))
            held = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(partition)).fetchone()
            connection.execute(sql.SQL("DROP TABLE {}").format(partition))
            gone.append(day)
            rows += held[0] if held else 0
    found = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.{REFUSED_ROWS}",)).fetchone()
    if found and found[0]:
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE problem = %s AND day < %s").format(table_of(REFUSED_ROWS)),
            (problem, first_kept),
        )
    return gone, rows


def drop(connection: Connection, problem: str) -> None:
    """Drop all that is stored of a problem. Harmless where there is nothing."""
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table_of(problem)))
    found = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.{REFUSED_ROWS}",)).fetchone()
    if found and found[0]:
        connection.execute(sql.SQL("DELETE FROM {} WHERE problem = %s").format(table_of(REFUSED_ROWS)), (problem,))


def _partition(problem: str, day: date) -> sql.Identifier:
    return sql.Identifier(SCHEMA, f"_{problem}_{day:%Y%m%d}")
