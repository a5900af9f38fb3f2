"""Files are deleted while no backup runs: one that copied the catalog must still find the files that it names."""

from collections.abc import Iterator
from contextlib import contextmanager

from millrace.adapters import warehouse
from millrace.contract.names import LOCK_OF_DELETION


@contextmanager
def deletion_allowed() -> Iterator[None]:
    """Wait for a backup that runs; none begins while the block runs. The lock ends with the process that holds it."""
    with warehouse.connect() as connection:
        connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK_OF_DELETION])
        yield
