"""A commit to one table of the lake that stands still, in the middle, for as long as a drill needs.

A commit ends with an UPDATE of the table's one row in the catalog. While the drill holds that row, whoever commits
waits there with all its files written; readers, and other tables, notice nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from millrace.settings import get_settings


@dataclass(frozen=True)
class HeldCommit:
    """The row of one table in the catalog, held."""

    connection: psycopg.Connection[tuple[Any, ...]]

    def waits_in_spark(self) -> bool:
        """Whether the Spark server is the one that waits: it speaks JDBC, our own processes do not."""
        query = """
            SELECT count(*) FROM pg_stat_activity
            WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)) AND application_name LIKE 'PostgreSQL JDBC%'
        """
        # Within a transaction Postgres answers from its first look.
        self.connection.execute("SELECT pg_stat_clear_snapshot()")
        found = self.connection.execute(query).fetchone()
        return bool(found and found[0])


@contextmanager
def held_commit(table: str) -> Iterator[HeldCommit]:
    """Let no commit to a table through while the block runs."""
    namespace, _, name = table.partition(".")
    with psycopg.connect(get_settings().postgres_dsn("iceberg"), connect_timeout=5) as connection:
        row = "SELECT FROM iceberg_tables WHERE table_namespace = %s AND table_name = %s FOR UPDATE"
        connection.execute(row, [namespace, name])
        yield HeldCommit(connection)
        connection.rollback()
