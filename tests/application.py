"""A problem that follows a table of the source database, for an application to work on."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from infra.connectors import registration
from millrace.adapters import source_database, topics
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.simulation.live import drop_table
from tests.awaiting import await_that
from tests.steps.transforming import problem_named, removed_afterwards
from tests.throwaway import problem_from
from tests.topics import delete_topic


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
        with _taken_in(problem, airflow):
            yield problem


@contextmanager
def produced_problem(mark: str, airflow: AirflowApi, **topic: Any) -> Iterator[Problem]:
    """The same for a problem to whose topic producers send.

    Args:
        topic: The keys of its section `topic`; it is given a name.
    """
    name = f"{mark}_{uuid.uuid4().hex[:8]}"
    content = problem_named(name).model_dump(mode="json", exclude_defaults=True)
    [source] = content["sources"].values()
    source["topic"] = topic | {"name": f"sales.{name}"}
    problem = Problem.model_validate(content)
    with removed_afterwards(problem):
        try:
            with problem_from(content):
                await_that("its topic is made", lambda: _is_there(source["topic"]["name"]), seconds=60)
                with _taken_in(problem, airflow):
                    yield problem
        finally:
            delete_topic(source["topic"]["name"])


@contextmanager
def _taken_in(problem: Problem, airflow: AirflowApi) -> Iterator[None]:
    """Airflow takes what comes to silver and gold, and trains nothing."""
    stages = ("ingest_changes", "transform", "train")
    ingestion, transform, train = (names.dag_id(problem.problem, stage) for stage in stages)
    # Each stage has a file of its own, read at its own time.
    await_that("its DAGs appear", lambda: all(map(airflow.knows, (ingestion, transform, train))), seconds=240)
    airflow.pause(train)
    try:
        yield
    finally:
        for dag in (ingestion, transform):
            airflow.pause(dag)
            # A run that is under way would make its tables once more.
            for run in airflow.unfinished(dag):
                airflow.end(run)


def _is_there(topic: str) -> bool:
    with suppress(topics.NoTopicError):
        return bool(topics.state(topic).end)
    return False


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
    """Remove what outlives a problem's file: the keeper its own, the application its table, and we the topics."""
    request = source_database.ask_forget(problem.problem)
    await_that(f"nothing is left of {problem.problem}", lambda: source_database.answer(request), seconds=180)
    drop_table(problem)
    topics.delete_all(problem.problem)


def _is_followed(problem: Problem) -> bool:
    return registration.in_words(registration.state(problem.problem, get_settings())) is None
