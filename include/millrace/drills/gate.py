"""A gate inside the Spark server: a write that has begun there, and goes on only when a drill or a test says so.

The rows to be written are joined with a one-row JDBC query that takes a shared advisory lock in Postgres. While the
gate is closed, somebody else holds that lock alone, and the operation stands still in the server, in the
middle of its work, as long as needed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pyspark.sql import DataFrame
from tenacity import Retrying, stop_after_delay, wait_fixed

from millrace.settings import get_settings

Write = Callable[..., None]


@dataclass(frozen=True)
class Gate:
    """A closed gate, by the number of its lock."""

    number: int
    connection: psycopg.Connection[tuple[Any, ...]]

    def await_arrival(self, seconds: float = 300) -> None:
        """Wait until an operation in the Spark server stands before the gate."""
        for attempt in Retrying(stop=stop_after_delay(seconds), wait=wait_fixed(0.1), reraise=True):
            with attempt:
                assert self.waiting(), "no operation has come to the gate"

    def waiting(self) -> int:
        """How many operations stand before it."""
        found = self.connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", [self.number]
        ).fetchone()
        assert found is not None
        return int(found[0])

    def open(self) -> None:
        self.connection.execute("SELECT pg_advisory_unlock(%s)", [self.number])


@contextmanager
def closed_gate(number: int) -> Iterator[Gate]:
    """A gate that is closed at first, and open after the block at the latest."""
    with psycopg.connect(get_settings().postgres_dsn("warehouse"), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [number])
        yield Gate(number, connection)


def behind_gate(write: Write, number: int) -> Write:
    """A function like `append` and `merge` of `spark_jobs.fenced_write`, whose rows have to pass the gate."""

    def gated(*arguments: Any, **more: Any) -> None:
        write(*(_gated(each, number) if isinstance(each, DataFrame) else each for each in arguments), **more)

    return gated


def _gated(rows: DataFrame, number: int) -> DataFrame:
    here = conninfo_to_dict(get_settings().postgres_dsn("warehouse"))
    # The transaction of the query ends with it, and with it the lock.
    query = f"(SELECT pg_advisory_xact_lock_shared({number})::text AS passed) gate"
    login = {"user": str(here["user"]), "password": str(here["password"]), "driver": "org.postgresql.Driver"}
    address = f"jdbc:postgresql://{here['host']}:{here['port']}/{here['dbname']}"
    passing = rows.sparkSession.read.jdbc(address, query, properties=login)
    gated: DataFrame = rows.crossJoin(passing).where("passed IS NOT NULL").drop("passed")
    return gated
