"""An application at work on the source database, and a problem that follows its table."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

from infra.connectors import registration, source_tables
from infra.connectors.keeper import report_file
from infra.services import postgres_server, source_database
from millrace.adapters import lake
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.simulation.live import play
from millrace.simulation.world import row_key
from tests.awaiting import await_that
from tests.steps.transforming import problem_named, removed_afterwards
from tests.throwaway import problem_from
from tests.topics import delete_topics


class AtWork:
    """An application that works on a problem's table while the block runs, whatever is killed meanwhile."""

    def __init__(self, problem: Problem, *, seed: int, rate: float = 40) -> None:
        self.played, self.rate = play(problem, seed=seed), rate
        self._enough = threading.Event()
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> "AtWork":
        self._end = self._thread.submit(
            self.played.play, rate=self.rate, until=self._enough.is_set, patience_seconds=120
        )
        return self

    def __exit__(self, *_error: object) -> None:
        self._enough.set()
        self._thread.shutdown()
        self._end.result()

    def came(self, *, since: int = 0) -> bool:
        """Whether silver holds a row that was inserted after so many others."""
        known = {row_key(self.played.problem, key) for key in self.played.world.ever[since:]}
        table = names.silver(self.played.problem.source_name)
        return lake.table_exists(table) and bool(
            known & set(lake.read(table, columns=("row_key",))["row_key"].to_pylist())
        )


@contextmanager
def live_problem(mark: str, airflow: AirflowApi, **changes: Any) -> Iterator[Problem]:
    """A problem of the columns of `tests.steps.transforming` whose table is followed, and whose changes Airflow takes
    to silver and gold. It is another one each time, and nothing of it is left afterwards.

    Args:
        changes: The keys of its section `changes`.
    """
    content = problem_named(f"{mark}_{uuid.uuid4().hex[:8]}").model_dump(mode="json", exclude_defaults=True)
    [source] = content["sources"].values()
    source["changes"] = changes
    with unfollowed_afterwards(content) as problem:
        await_that(f"{problem.change_table} is followed", lambda: _is_followed(problem), seconds=180)
        ingestion, transform = (names.dag_id(problem.problem, stage) for stage in ("ingest_changes", "transform"))
        # Each stage has a file of its own, read at its own time.
        await_that("its DAGs appear", lambda: airflow.knows(ingestion) and airflow.knows(transform), seconds=240)
        try:
            yield problem
        finally:
            for dag in (ingestion, transform):
                airflow.pause(dag)
                # A run that is under way would make its tables once more.
                for run in airflow.unfinished(dag):
                    airflow.end(run)


@contextmanager
def unfollowed_afterwards(content: dict[str, Any]) -> Iterator[Problem]:
    """A problem of this content with its file; nothing of it is left afterwards in source database, Kafka, and lake.

    The file goes first, or the keeper makes everything anew.
    """
    problem = Problem.model_validate(content)
    with removed_afterwards(problem):
        try:
            with problem_from(content):
                yield problem
        finally:
            unfollow(problem)


def unfollow(problem: Problem) -> None:
    """Remove what outlives a problem's file: connector, position and slot, tables, publication and topics."""
    report, seen = report_file(get_settings()), set[int]()

    def keeper_has_looked() -> bool:
        seen.add(report.stat().st_mtime_ns)
        # As it was, the end of a look that may have begun before the file went, and one that began after.
        return len(seen) >= 3

    await_that("the keeper knows that the file is gone", keeper_has_looked, seconds=120)
    await_that(f"nothing is left of {problem.problem}", lambda: _is_gone(problem), seconds=60)


def _is_gone(problem: Problem) -> bool:
    """Tries to remove all of it. Connect refuses while it shares out its tasks, and a slot in use cannot be dropped."""
    with suppress(MillraceError, psycopg.Error):
        if registration.state(problem.problem, get_settings()) is not None:
            with postgres_server.connect(
                source_database.SERVER, get_settings(), source_database.DATABASE
            ) as connection:
                registration.forget(problem.problem, connection, get_settings())
        with postgres_server.connect(source_database.SERVER, get_settings(), source_database.DATABASE) as connection:
            source_tables.drop_slot(connection, problem.problem)
            publication = sql.Identifier(names.connector(problem.problem))
            connection.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(publication))
            made = (problem.change_table, names.heartbeat_table(problem.problem), names.signal_table(problem.problem))
            for table in made:
                name = sql.Identifier(*str(table).split("."))
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
        delete_topics(problem.problem)
        return registration.state(problem.problem, get_settings()) is None
    return False


def _is_followed(problem: Problem) -> bool:
    return registration.in_words(registration.state(problem.problem, get_settings())) is None


def offsets_of(problem: Problem) -> list[tuple[str, int, int]]:
    """Topic, partition and offset of every message of bronze, in their order."""
    table = names.bronze_changes(problem.source_name)
    found = lake.read(table, columns=("topic", "partition", "offset")).to_pylist()
    return sorted((one["topic"], one["partition"], one["offset"]) for one in found)
