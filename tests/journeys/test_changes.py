"""What an application commits, silver and gold hold, without anyone acting: database, Debezium, Kafka, Airflow."""

from collections.abc import Iterator

import pytest
from click.testing import Result
from typer.testing import CliRunner

from millrace.adapters import lake, supervised, warehouse
from millrace.adapters.airflow_api import AirflowApi
from millrace.cli import app
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.simulation.at_work import AtWork, repeated
from millrace.simulation.producing import Producers
from tests.application import live_problem, produced_problem
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


@pytest.fixture(scope="module")
def produced(airflow: AirflowApi) -> Iterator[Problem]:
    with produced_problem("sent", airflow, rows=50, seconds=2, format="json_envelope", partitions=2) as problem:
        yield problem


def test_silver_holds_what_producers_sent_also_when_the_broker_is_killed_while_they_send(produced: Problem) -> None:
    producers = Producers(produced, seed=5, broken_share=0.1)
    producers.send(rate=100, until=lambda: producers.sent.total() >= 200)
    table = names.silver(produced.source_name)
    await_that("first rows are in silver", lambda: lake.table_exists(table), seconds=PATIENCE_SECONDS)
    killed: list[int | None] = []

    def is_enough() -> bool:
        if producers.sent.total() == 300 and not killed:
            killed.append(supervised.kill("kafka"))
        return producers.sent.total() >= 500

    producers.send(rate=100, until=is_enough)
    assert killed
    await_that("silver holds all of it", lambda: not producers.differences(), seconds=PATIENCE_SECONDS)
    assert lake.count(names.bronze_changes(produced.source_name)) == producers.sent.total()
    assert repeated(produced) == 0, "no message stands there twice"

    def published() -> bool:
        found = lake.read(names.gold(produced.problem), columns=("row_key",))["row_key"].to_pylist()
        return sorted(found) == sorted(producers.valid)

    await_that("gold holds the same rows", published, seconds=PATIENCE_SECONDS)


def test_the_command_that_plays_producers_ends_well_only_when_silver_holds_what_they_sent(produced: Problem) -> None:
    def say(*words: str) -> Result:
        return CliRunner().invoke(app, [*words], catch_exceptions=False)

    name, topic = produced.problem, str(produced.source.topic and produced.source.topic.name)
    sends = ("simulate", name, "--produce", "--rows", "60", "--rate", "200")
    early = say(*sends, "--wait", "0")
    assert early.exit_code == 1, "nobody can have taken them in yet"
    assert "After 0 s silver differs in" in early.output
    done = say(*sends, "--wait", str(PATIENCE_SECONDS))
    assert (done.exit_code, "Silver holds what was sent" in done.output) == (0, True), done.output
    assert f"Topic {topic}" in done.output
    await_that("nothing waits", lambda: "nothing waits" in say("status", name).output, seconds=PATIENCE_SECONDS)
    assert "it goes on by itself" in say("resume", name).output
    both = say("simulate", name, "--produce", "--live")
    assert (both.exit_code, "plays producers" in both.output) == (2, True)
