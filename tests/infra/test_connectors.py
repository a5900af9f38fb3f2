"""What a contract makes of a connector, and what the keeper does about one that failed. Needs no stack."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.connectors import keeper, registration, requests, rest
from infra.connectors.keeper import Keeper
from infra.connectors.rendering import EPOCH_LITERAL, render
from infra.env_file import ensure_env_file
from infra.services import kafka_connect
from millrace.contract.problem import Problem
from millrace.contract.source_epoch import SourceEpoch, following
from millrace.settings import Settings
from tests.infra.orders import ORDERS

EPOCH = SourceEpoch(since=1_796_000_000, system_identifier=7_713_818_514_692_298_232, timeline=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    ensure_env_file(tmp_path / ".env")
    return Settings(_env_file=tmp_path / ".env", home=tmp_path, port_offset=0, problems_dir=tmp_path)


def orders(**changes: object) -> Problem:
    content = yaml.safe_load(ORDERS)
    content["sources"]["orders"]["changes"] = changes
    return Problem.model_validate(content)


def test_a_connector_follows_exactly_the_contracts_table(settings: Settings) -> None:
    told = render(orders(table="crm.orders_2"), settings, EPOCH)
    assert told["table.include.list"] == r"crm\.orders_2,millrace\.orders_heartbeat,millrace\.orders_signal"
    assert told["topic.prefix"] == "orders"
    assert told["slot.name"] == told["publication.name"] == "millrace_orders"
    assert told["signal.data.collection"] == "millrace.orders_signal"
    assert told["database.port"] == "15433"


def test_nothing_is_left_out_nothing_is_made_by_itself_and_the_slot_stays(settings: Settings) -> None:
    told = render(orders(), settings, EPOCH)
    wanted = {
        "exactly.once.support": "required",
        "skipped.operations": "none",
        "slot.drop.on.stop": "false",
        "snapshot.mode": "initial",
        "publication.autocreate.mode": "disabled",
        "decimal.handling.mode": "string",
        "tombstones.on.delete": "true",
    }
    assert {key: told[key] for key in wanted} == wanted


def test_a_connector_and_its_file_hold_no_secret(settings: Settings) -> None:
    told = render(orders(), settings, EPOCH)
    secret = settings.source_debezium_password.get_secret_value()
    assert secret
    assert secret not in str(told)
    # What it names instead is the one variable that the worker hands out.
    assert told["database.password"] == "${env:" + kafka_connect.LOOKED_UP + "}"
    assert kafka_connect.launch(settings).environment[kafka_connect.LOOKED_UP] == secret


def test_the_epoch_is_in_every_message_and_demanded_of_every_connection(settings: Settings) -> None:
    told = render(orders(), settings, EPOCH)
    assert told[EPOCH_LITERAL] == "1796000000/7713818514692298232/1"
    assert SourceEpoch.parse(told[EPOCH_LITERAL]) == EPOCH
    assert "'7713818514692298232/1'" in told["database.initial.statements"]


def test_epochs_rise_whatever_identifiers_and_clocks_say() -> None:
    first = following(None, "900/1", now=1000)
    assert following(first, "900/1", now=5000) == first
    promoted = following(first, "900/2", now=2000)
    # Restored into a database that was made earlier, on a machine whose clock was set back.
    restored = following(promoted, "100/1", now=10)
    assert first < promoted < restored
    assert (restored.since, restored.database) == (2001, "100/1")


@pytest.mark.parametrize("text", ["", "1/2", "1/2/x", "1/2/3/4"])
def test_what_is_no_epoch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no epoch"):
        SourceEpoch.parse(text)


class Connect:
    """Kafka Connect as far as a registration asks it."""

    def __init__(self, registered: dict[str, str] | None = None) -> None:
        self.registered, self.asked = registered, []  # type: ignore[var-annotated]

    def call(self, _settings: Settings, method: str, path: str, body: Any = None, **_more: object) -> Any:
        if method == "GET":
            return self.registered
        self.asked.append(f"{method} {path.removeprefix('/connectors/millrace_orders')}".strip())
        if method == "PUT" and path.endswith("/config"):
            self.registered = {**body, "name": "millrace_orders"}
        if method == "DELETE" and path.endswith("/millrace_orders"):
            self.registered = None
        return None


class Database:
    """Notes that a slot is dropped."""

    def __init__(self) -> None:
        self.executed: list[str] = []

    def execute(self, query: str, _parameters: object = None) -> None:
        self.executed.append(query)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    worker = Connect()
    monkeypatch.setattr(rest, "call", worker.call)
    return worker


def register(settings: Settings, problem: Problem, database: str = EPOCH.database, now: float = 5.0) -> str:
    return registration.register(problem, database, Database(), settings, now=now)  # type: ignore[arg-type]


def test_a_connector_is_registered_once(settings: Settings, connect: Connect) -> None:
    assert register(settings, orders()).startswith("registered, epoch 5/")
    assert register(settings, orders(), now=900.0) == ""
    assert connect.asked == ["PUT /config"]
    assert (
        settings.source_debezium_password.get_secret_value()
        not in (registration.folder(settings) / "orders.json").read_text()
    )


def test_another_table_is_registered_anew_and_read_from_its_first_row(settings: Settings, connect: Connect) -> None:
    register(settings, orders())
    connect.asked.clear()
    assert register(settings, orders(table="crm.orders")) == "registered anew: table.include.list changed"
    # Its position belongs to the table before.
    assert connect.asked == ["PUT /stop", "DELETE /offsets", "DELETE", "PUT /config"]


def test_when_a_run_takes_changes_in_is_no_matter_of_the_connector(settings: Settings, connect: Connect) -> None:
    register(settings, orders())
    assert register(settings, orders(rows=5, allow_truncate=True)) == ""


def test_another_epoch_begins_with_every_row(settings: Settings, connect: Connect) -> None:
    register(settings, orders())
    connect.asked.clear()
    assert "every row is read once more" in register(settings, orders(), "7713818514692298232/2", now=6.0)
    # The connector with the old epoch goes last: killed before, the next look begins again.
    assert connect.asked == ["PUT /stop", "DELETE /offsets", "DELETE", "PUT /config"]
    assert connect.registered is not None
    assert connect.registered[EPOCH_LITERAL] == "6/7713818514692298232/2"


def begin_anew(settings: Settings, now: float) -> str:
    told = registration.begin_anew(orders(), EPOCH.database, Database(), settings, now=now)  # type: ignore[arg-type]
    return told.split("epoch ")[1].split("/")[0]


def test_a_connector_that_is_begun_anew_has_a_later_epoch_of_the_same_database(
    settings: Settings, connect: Connect
) -> None:
    register(settings, orders(), now=900.0)
    connect.asked.clear()
    # Though the clock was set back: its rows must count more than those of before.
    assert begin_anew(settings, now=10.0) == "901"
    assert connect.asked == ["PUT /stop", "DELETE /offsets", "DELETE", "PUT /config"]
    assert connect.registered is not None
    assert connect.registered[EPOCH_LITERAL] == f"901/{EPOCH.database}"
    assert register(settings, orders(), now=2000.0) == ""


def test_one_that_was_removed_and_not_made_again_is_made(settings: Settings, connect: Connect) -> None:
    database = Database()
    registration.begin_anew(orders(), EPOCH.database, database, settings, now=5.0)  # type: ignore[arg-type]
    assert connect.asked == ["PUT /config"]
    assert ["pg_drop_replication_slot" in query for query in database.executed] == [True]


def test_the_keeper_answers_only_what_it_did(
    settings: Settings, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answers = ["request"], []
    monkeypatch.setattr(requests, "waiting", lambda *_: list(asked))
    monkeypatch.setattr(requests, "answer", lambda _connection, ids, words: answers.append((ids, words)))
    register(settings, orders())
    watching: Any = Keeper(settings)
    with monkeypatch.context() as patched:
        patched.setattr(registration, "forget", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            watching._register(orders(), EPOCH.database, Database())
    assert answers == []
    assert "every row is read once more" in watching._register(orders(), EPOCH.database, Database())
    [(ids, words)] = answers
    assert (ids, "as it was asked for" in words) == (["request"], True)
    asked.clear()
    assert watching._register(orders(), EPOCH.database, Database()) == ""


def status(state: str, task: str) -> dict[str, Any]:
    return {"connector": {"state": state}, "tasks": [{"state": task, "trace": "broken\n at line"}]}


def test_a_state_is_told_in_words() -> None:
    assert registration.in_words(status("RUNNING", "RUNNING")) is None
    assert registration.in_words(status("RUNNING", "FAILED")) == "FAILED: broken"
    assert registration.in_words({"connector": {"state": "RUNNING"}, "tasks": []}) == "no task yet"
    assert registration.in_words(None) == "not registered"
    long = {"state": "FAILED", "trace": "Error: reading from Offset [a=[1], b=[2]], but it is gone.\n\tat line"}
    told = registration.in_words({"connector": {"state": "RUNNING"}, "tasks": [long]})
    assert told == "FAILED: Error: reading from Offset […], but it is gone."


def test_one_whose_position_is_gone_is_told_and_not_restarted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {
        "state": "FAILED",
        "trace": "Error: Offset [1], but this is no longer available on the server. Reconfigure.",
    }
    monkeypatch.setattr(registration, "state", lambda *_: {"connector": {"state": "RUNNING"}, "tasks": [gone]})
    monkeypatch.setattr(registration, "restart_failed", lambda *_: pytest.fail("no restart helps it"))
    watching = Keeper(settings)
    assert {"`millrace resnapshot orders`" in str(watching._heal("orders")) for _ in range(3)} == {True}


def test_a_task_is_restarted_when_two_looks_saw_it_failed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Just after its restart a worker tells the state of before: one look decides nothing."""
    seen = ["FAILED", "RUNNING", "FAILED", "FAILED", "FAILED", "RUNNING"]
    restarted: list[int] = []
    monkeypatch.setattr(registration, "state", lambda *_: status("RUNNING", seen.pop(0)))
    monkeypatch.setattr(registration, "restart_failed", lambda *_: restarted.append(len(seen)))
    watching: Keeper = keeper.Keeper(settings)
    while seen:
        watching._heal("orders")
    # After the second FAILED in a row, and not after the first that follows the restart.
    assert restarted == [2]
