"""What an application commits, silver and gold hold, without anyone acting: database, Debezium, Kafka, Airflow."""

from collections.abc import Iterator

import pytest

from millrace.adapters import lake, supervised, warehouse
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.simulation.at_work import AtWork, repeated
from tests.application import live_problem
from tests.awaiting import await_that

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def problem(airflow: AirflowApi) -> Iterator[Problem]:
    with live_problem("live", airflow, rows=1_000, seconds=2) as problem:
        yield problem


def test_silver_ends_as_the_application_left_its_table_also_when_connect_is_killed(problem: Problem) -> None:
    with AtWork(problem, seed=11) as application:
        await_that("first rows are in silver", application.came, seconds=PATIENCE_SECONDS)
        killed = supervised.kill("kafka_connect")
        await_that("it is back", lambda: supervised.pid("kafka_connect") not in (None, killed), seconds=60)
        seen = len(application.played.world.ever)
        await_that("more rows came", lambda: application.came(since=seen), seconds=PATIENCE_SECONDS)
    played = application.played
    assert {"insert", "label", "correct", "break", "delete", "rekey"} == {*played.done}
    await_that("silver holds all of it", lambda: not played.differences(), seconds=PATIENCE_SECONDS)
    assert repeated(problem) == 0, "no message stands there twice"

    living = played.world.silver()

    def published() -> bool:
        found = lake.read(names.gold(problem.problem), columns=("row_key",))["row_key"].to_pylist()
        with warehouse.connect() as connection:
            return sorted(found) == sorted(living) and warehouse.count(connection, problem.problem) == len(living)

    await_that("gold and the warehouse hold the same rows", published, seconds=PATIENCE_SECONDS)
