"""While an application works on its table, something is killed: silver ends as the application left the table."""

import time
import zlib
from collections.abc import Callable, Iterator

import pytest

from millrace.adapters import supervised
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract.problem import Problem
from millrace.simulation.at_work import AtWork, repeated
from tests.application import live_problem
from tests.awaiting import await_that
from tests.faults.conftest import Told

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_200)]
PATIENCE_SECONDS = 600


@pytest.fixture(scope="module")
def problem(airflow: AirflowApi) -> Iterator[Problem]:
    """Its backlog fires every two seconds, so that whatever is killed is killed at work."""
    with live_problem("killed", airflow, rows=1_000, seconds=2, retry_seconds=20) as problem:
        yield problem


@pytest.mark.parametrize(
    "victims",
    [
        ("kafka_connect",),
        ("kafka",),
        ("source_database",),
        ("spark",),
        ("minio",),
        ("postgres",),
        ("airflow_triggerer",),
        ("airflow_scheduler",),
        ("kafka", "kafka_connect", "source_database"),
    ],
    ids="+".join,
)
def test_silver_ends_as_the_application_left_its_table(problem: Problem, victims: tuple[str, ...], told: Told) -> None:
    with AtWork(problem, seed=zlib.crc32("+".join(victims).encode())) as application:
        await_that("rows are in silver", lambda: answers(application.came), seconds=PATIENCE_SECONDS)
        struck = time.monotonic()
        killed = {service: supervised.kill(service) for service in victims}
        for service, pid in killed.items():
            await_that(f"{service} is back", lambda s=service, p=pid: supervised.pid(s) not in (None, p), seconds=120)
        # What was committed before may still be on its way: these were begun after.
        seen = len(application.played.world.ever)
        await_that("new rows come", lambda: answers(lambda: application.came(since=seen)), seconds=PATIENCE_SECONDS)
        seconds = time.monotonic() - struck
    played = application.played
    await_that("all is there", lambda: answers(lambda: not played.differences()), seconds=PATIENCE_SECONDS)
    assert repeated(problem) == 0, "no message stands there twice"
    words = " and ".join(f"`{one}`" for one in victims)
    told(f"{words} killed while an application works", "silver as the application left its table", seconds)


def answers(look: Callable[[], bool]) -> bool:
    """Not answering, because of the fault, is an answer too: no."""
    try:
        return look()
    except Exception:  # noqa: BLE001 - which error depends on what is down at this moment
        return False
