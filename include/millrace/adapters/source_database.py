"""The source database, as its role `debezium` sees it: how far a connector has come in its log."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from millrace.adapters.unreachable import unreachable
from millrace.contract import names
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
    with _connection():
        return


def slot(problem: str) -> Slot | None:
    """The slot of a problem's connector; None while there is none.

    Raises:
        MillraceError: If the database cannot be reached.
    """
    with _connection() as connection:
        row = connection.execute(QUERY, [names.connector(problem)]).fetchone()
    # A lost slot has no position any more.
    return None if row is None else Slot(row[0], row[1], row[2] or 0, row[3])


@contextmanager
def _connection() -> Iterator[psycopg.Connection]:
    settings = get_settings()
    try:
        with psycopg.connect(settings.source_dsn("debezium"), connect_timeout=5) as connection:
            yield connection
    except psycopg.OperationalError as error:
        place = f"{settings.source_database_host}:{settings.port('source_database')}"
        raise unreachable("The source database", place, error) from error
