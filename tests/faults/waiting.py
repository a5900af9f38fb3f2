"""Rows of Postgres that a test holds, so that whoever writes to them stands still in the middle of a transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from millrace.settings import get_settings

Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def held(query: str, values: Sequence[object]) -> Iterator[Connection]:
    """Hold a row of the warehouse's database while the block runs.

    Args:
        query: A SELECT that ends with FOR UPDATE, and finds the row.
    """
    with psycopg.connect(get_settings().postgres_dsn("warehouse"), connect_timeout=5) as connection:
        assert connection.execute(query.encode(), values).rowcount == 1, "there is no such row to hold"
        yield connection
        connection.rollback()


def somebody_waits(holder: Connection) -> bool:
    """Whether a transaction waits for what this connection holds."""
    holder.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction Postgres answers from its first look
    query = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    found = holder.execute(query).fetchone()
    return bool(found and found[0])
