"""While an application commits rows, something is killed: bronze ends with each of them once."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from millrace.adapters import supervised
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract.problem import Problem
from tests.application import Application, inserted, live_problem, offsets_of
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
def test_every_committed_row_comes_once(problem: Problem, victims: tuple[str, ...], told: Told) -> None:
    prefix = f"{'-'.join(victims)}-"
    with Application(problem, prefix) as application:
        await_that("rows are in bronze", lambda: arrived(problem, prefix), seconds=PATIENCE_SECONDS)
        struck = time.monotonic()
        killed = {service: supervised.kill(service) for service in victims}
        for service, pid in killed.items():
            await_that(f"{service} is back", lambda s=service, p=pid: supervised.pid(s) not in (None, p), seconds=120)
        # What was committed before may still be on its way: these were begun after.
        begun = application.number
        await_that("new rows come", lambda: newest(problem, prefix) > begun, seconds=PATIENCE_SECONDS)
        seconds = time.monotonic() - struck
    committed = application.committed()
    await_that("all are there", lambda: arrived(problem, prefix) >= committed, seconds=PATIENCE_SECONDS)
    assert inserted(problem, prefix) == Counter(committed)
    offsets = offsets_of(problem)
    assert len(offsets) == len(set(offsets)), "no message stands there twice"
    words = " and ".join(f"`{one}`" for one in victims)
    told(f"{words} killed while an application commits", "each committed row once in bronze", seconds)


def newest(problem: Problem, prefix: str) -> int:
    """The highest number of a row that bronze holds."""
    return max((int(key.removeprefix(prefix)) for key in arrived(problem, prefix)), default=0)


def arrived(problem: Problem, prefix: str) -> set[str]:
    """The keys that bronze holds. Not answering, because of the fault, is an answer too: none."""
    try:
        return set(inserted(problem, prefix))
    except Exception:  # noqa: BLE001 - which error depends on what is down at this moment
        return set()
