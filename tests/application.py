"""An application at work on the source database: it inserts rows in transactions, whatever is killed meanwhile."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from infra.connectors import registration
from infra.services import postgres_server, source_database
from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from tests.awaiting import await_that

PAUSE_SECONDS = 0.05


class Application:
    """Inserts rows of the columns of `tests.steps.transforming`, numbered; their keys begin with a prefix."""

    def __init__(self, problem: Problem, prefix: str) -> None:
        self.table, self.prefix = str(problem.change_table), prefix
        self.number = 0
        """Of the newest row that it inserted, committed or not."""
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Application":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._enough.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._enough.is_set():
            # A database that is away comes back; a transaction whose end nobody heard was committed or was not.
            with suppress(psycopg.Error), psycopg.connect(get_settings().source_dsn("application")) as connection:
                while not self._enough.wait(PAUSE_SECONDS):
                    self._transaction(connection)

    def _transaction(self, connection: psycopg.Connection) -> None:
        with connection.transaction():
            for _ in range(1 + self.number % 4):
                self.number += 1
                row = [f"{self.prefix}{self.number}", self.number % 90, self.number % 2]
                insert = f"INSERT INTO {self.table} VALUES (%s, now(), %s, 'x', '1', %s)"
                connection.execute(insert, row)  # type: ignore[arg-type]

    def committed(self) -> set[str]:
        """The keys that the database holds, asked when the application is at rest."""
        with psycopg.connect(get_settings().source_dsn("application")) as connection:
            query = f"SELECT id FROM {self.table} WHERE starts_with(id, %s)"
            return {row[0] for row in connection.execute(query, [self.prefix])}  # type: ignore[arg-type]


@contextmanager
def followed(problem: Problem) -> Iterator[None]:
    """Wait until the problem's table is followed; its connector and slot are gone afterwards."""
    try:
        await_that(f"{problem.change_table} is followed", lambda: _is_followed(problem), seconds=180)
        yield
    finally:
        unfollow(problem)


def unfollow(problem: Problem) -> None:
    """Remove what outlives a problem's file: its connector, position and slot."""
    with postgres_server.connect(source_database.SERVER, get_settings(), source_database.DATABASE) as connection:
        registration.forget(problem.problem, connection, get_settings())


def _is_followed(problem: Problem) -> bool:
    return registration.in_words(registration.state(problem.problem, get_settings())) is None


def inserted(problem: Problem, prefix: str) -> Counter[str]:
    """Key → how often bronze says that it was inserted, or found by a snapshot."""
    table = names.bronze_changes(problem.source_name)
    if not lake.table_exists(table):
        return Counter()
    found = lake.read(table, columns=("key", "operation")).to_pylist()
    keys = [json.loads(one["key"])["id"] for one in found if one["operation"] in ("c", "r")]
    return Counter(key for key in keys if key.startswith(prefix))


def offsets_of(problem: Problem) -> list[tuple[str, int, int]]:
    """Topic, partition and offset of every message of bronze, in their order."""
    table = names.bronze_changes(problem.source_name)
    found = lake.read(table, columns=("topic", "partition", "offset")).to_pylist()
    return sorted((one["topic"], one["partition"], one["offset"]) for one in found)
