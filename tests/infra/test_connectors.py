"""What a contract makes of a connector, and what the keeper does about one that failed. Needs no stack."""

import io
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.connectors import keeper, registration, requests, rest, source_tables
from infra.connectors.keeper import Keeper
from infra.connectors.rendering import EPOCH_LITERAL, render, render_warehouse
from infra.env_file import ensure_env_file
from infra.services import kafka_connect
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.contract.source_epoch import SourceEpoch, begun_anew
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
        # A message without a schema tells no days from microseconds.
        "time.precision.mode": "isostring",
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


def test_the_warehouse_publishes_serving_tables_those_to_come_too(settings: Settings) -> None:
    told = render_warehouse(settings, EPOCH)
    assert told["table.include.list"] == r"warehouse\.serving_.*,millrace\.warehouse_heartbeat"
    assert told["topic.prefix"] == "warehouse"
    assert told["slot.name"] == told["publication.name"] == "millrace_warehouse"
    assert (told["database.port"], told["database.dbname"]) == ("15432", "warehouse")
    assert told["database.password"] == "${env:" + kafka_connect.LOOKED_UP_OF_WAREHOUSE + "}"
    secret = settings.warehouse_debezium_password.get_secret_value()
    assert kafka_connect.launch(settings).environment[kafka_connect.LOOKED_UP_OF_WAREHOUSE] == secret
    # A topic that is compacted takes no message without a key.
    assert told["skipped.operations"] == "t"
    assert told["topic.creation.published.cleanup.policy"] == "compact"


def test_no_problem_is_called_as_the_warehouse() -> None:
    with pytest.raises(ValueError, match="warehouse is that of the connector"):
        Problem.model_validate(yaml.safe_load(ORDERS) | {"problem": "warehouse"})


def test_the_epoch_is_in_every_message_and_demanded_of_every_connection(settings: Settings) -> None:
    told = render(orders(), settings, EPOCH)
    assert told[EPOCH_LITERAL] == "1796000000/7713818514692298232/1"
    assert SourceEpoch.parse(told[EPOCH_LITERAL]) == EPOCH
    assert "'7713818514692298232/1'" in told["database.initial.statements"]


def test_epochs_rise_whatever_identifiers_and_clocks_say() -> None:
    first = begun_anew(None, "900/1", now=1000)
    promoted = begun_anew(first, "900/2", now=2000)
    # Restored into a database that was made earlier, on a machine whose clock was set back.
    restored = begun_anew(promoted, "100/1", now=10)
    assert first < promoted < restored
    assert (restored.since, restored.database) == (2001, "100/1")


@pytest.mark.parametrize("text", ["", "1/2", "1/2/x", "1/2/3/4"])
def test_what_is_no_epoch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no epoch"):
        SourceEpoch.parse(text)


class Connect:
    """Kafka Connect as far as a registration asks it. `dies_at`: the request at which the keeper is killed."""

    def __init__(self) -> None:
        self.registered: dict[str, str] | None = None
        self.stopped = False
        self.asked: list[str] = []
        self.dies_at = ""
        self.listed: list[str] | None = []

    def call(self, _settings: Settings, method: str, path: str, body: Any = None, **_more: object) -> Any:
        if (method, path) == ("GET", "/connectors"):
            return self.listed
        if method == "GET":
            return None if self.listed is None else self.registered
        told = f"{method} {path.removeprefix('/connectors').removeprefix('/millrace_orders')}".strip()
        if told == self.dies_at:
            raise KilledError
        self.asked.append(told)
        if told == "POST":
            self.registered, self.stopped = {**body["config"], "name": body["name"]}, True
            assert body["initial_state"] == "STOPPED"
        elif told == "PUT /config":
            self.registered = {**body, "name": "millrace_orders"}
        elif told == "DELETE":
            self.registered = None
        elif told == "DELETE /offsets":
            assert self.registered, "there is no connector to tell"
            assert self.stopped, "Connect refuses that of one that runs"
        elif told in ("PUT /stop", "PUT /resume"):
            self.stopped = told == "PUT /stop"
        return None


class KilledError(Exception):
    """The keeper is killed at this place."""


class Database:
    """The source database as far as a keeper asks it: notes what is dropped, and holds requests."""

    def __init__(self) -> None:
        self.executed: list[str] = []
        self.requests: list[str] = []
        self.answers: list[str] = []


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    worker = Connect()
    monkeypatch.setattr(rest, "call", worker.call)
    return worker


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    found = Database()
    monkeypatch.setattr(requests, "waiting", lambda *_: list(found.requests))
    monkeypatch.setattr(requests, "ask_anew", lambda *_: found.requests.append("own") or "own")

    def answer(_connection: object, ids: list[str], words: str) -> None:
        found.requests = [one for one in found.requests if one not in ids]
        found.answers.append(words)

    monkeypatch.setattr(requests, "answer", answer)
    for name in ("drop_slot", "unfollow"):
        monkeypatch.setattr(source_tables, name, lambda *_, name=name: found.executed.append(name))
    return found


@pytest.fixture
def register(
    settings: Settings, connect: Connect, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """One look at a problem's connector; what was done, in words."""

    def look(problem: Problem, epoch: str = EPOCH.database, now: float = 5.0) -> str:
        monkeypatch.setattr("infra.connectors.keeper.time.time", lambda: now)
        connect.asked.clear()
        database.executed.clear()
        wanted = partial(render, problem, settings)
        return Keeper(settings)._register(problem.problem, wanted, epoch, database)  # type: ignore[arg-type]

    return look


Register = Callable[..., str]
ANEW = ["PUT /stop", "PUT /config", "DELETE /offsets", "PUT /resume"]
"""What a connector that is there is told, so that it loses its position and begins with a snapshot."""


def epoch_of(connect: Connect) -> str:
    assert connect.registered is not None
    return connect.registered[EPOCH_LITERAL]


def test_a_connector_is_registered_once_and_begins_without_a_position(
    settings: Settings, connect: Connect, database: Database, register: Register
) -> None:
    assert register(orders()).startswith("registered: no connector was there, epoch 5/")
    # Connect and the database keep the position of one that somebody deleted: with it, no snapshot would come.
    assert connect.asked == ["POST", "DELETE /offsets", "PUT /resume"]
    assert database.executed == ["drop_slot"]
    assert not connect.stopped
    assert register(orders(), now=900.0) == ""
    assert connect.asked == []
    written = (registration.folder(settings) / "orders.json").read_text()
    assert settings.source_debezium_password.get_secret_value() not in written


@pytest.mark.parametrize("dies_at", ["POST", "DELETE /offsets", "PUT /resume"])
def test_a_keeper_that_is_killed_while_it_registers_finishes_under_a_later_epoch(
    connect: Connect, database: Database, register: Register, dies_at: str
) -> None:
    connect.dies_at = dies_at
    with pytest.raises(KilledError):
        register(orders())
    connect.dies_at = ""
    assert "epoch 6/" in register(orders())
    assert connect.asked[-2:] == ["DELETE /offsets", "PUT /resume"]
    assert not connect.stopped
    assert (database.requests, register(orders())) == ([], "")


def test_one_that_somebody_deleted_is_of_a_later_epoch_though_the_clock_was_set_back(
    connect: Connect, register: Register
) -> None:
    register(orders(), now=900.0)
    connect.registered = None
    assert "every row is read" in register(orders(), now=10.0)
    assert connect.asked == ["POST", "DELETE /offsets", "PUT /resume"]
    assert epoch_of(connect) == f"901/{EPOCH.database}"


def test_another_table_begins_another_epoch_and_is_read_from_its_first_row(
    connect: Connect, register: Register
) -> None:
    """Its position belongs to the table before, whose rows are no more when every row of the new one has come."""
    register(orders())
    told = register(orders(table="crm.orders"), now=7.0)
    assert told.startswith("registered anew: table.include.list changed, epoch 7/")
    assert connect.asked == ANEW


def test_a_connector_that_is_otherwise_told_goes_on_from_where_it_is(connect: Connect, register: Register) -> None:
    register(orders())
    assert connect.registered is not None
    connect.registered |= {"poll.interval.ms": "7"}
    assert register(orders(), now=7.0) == "registered anew: poll.interval.ms changed"
    assert (connect.asked, epoch_of(connect)) == (["PUT /config"], f"5/{EPOCH.database}")


def test_when_a_run_takes_changes_in_is_no_matter_of_the_connector(register: Register) -> None:
    register(orders())
    assert register(orders(rows=5, allow_truncate=True)) == ""


def test_another_epoch_begins_with_every_row(connect: Connect, register: Register) -> None:
    register(orders())
    assert "every row is read" in register(orders(), "7713818514692298232/2", now=6.0)
    assert connect.asked == ANEW
    assert epoch_of(connect) == "6/7713818514692298232/2"


@pytest.mark.parametrize("dies_at", ["", *ANEW])
def test_what_was_asked_for_is_answered_when_it_is_done(
    connect: Connect, database: Database, register: Register, dies_at: str
) -> None:
    """Though the clock was set back, the epoch is later: its rows must count more than those of before."""
    register(orders(), now=900.0)
    database.requests, database.answers, connect.dies_at = ["theirs"], [], dies_at
    if dies_at:
        with pytest.raises(KilledError):
            register(orders(), now=10.0)
        assert database.answers == []
        connect.dies_at = ""
    assert "registered anew: it was asked for" in register(orders(), now=10.0)
    assert connect.asked == ANEW
    assert epoch_of(connect) == f"{902 if dies_at else 901}/{EPOCH.database}"
    assert (len(database.answers), database.requests, register(orders(), now=2000.0)) == (1, [], "")


def test_a_problem_is_forgotten_once_its_file_is_gone(
    settings: Settings, connect: Connect, database: Database, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(orders())
    connect.asked.clear()
    monkeypatch.setattr(requests, "to_forget", lambda *_: {"orders": ["theirs"], "'; DROP": ["no name"]})
    watching: Any = Keeper(settings)
    file = settings.problems_dir / "orders.yaml"
    file.write_text("broken")
    database.answers = []
    watching._forget(database)
    assert (connect.asked, database.answers) == ([], ["no name of a problem"])
    file.unlink()
    watching._forget(database)
    assert connect.asked == ["PUT /stop", "DELETE /offsets", "DELETE"]
    assert database.executed[-2:] == ["drop_slot", "unfollow"]
    assert not (registration.folder(settings) / "orders.json").exists()
    assert [one for one in database.answers if "are gone" in one]


def test_a_deleted_connectors_position_is_forgotten_too(
    settings: Settings, connect: Connect, database: Database, register: Register
) -> None:
    register(orders())
    connect.registered = None
    connect.asked.clear()
    for _ in range(2):
        registration.forget("orders", database, settings)  # type: ignore[arg-type]
    assert connect.asked == ["POST", "DELETE /offsets", "DELETE"]


@pytest.mark.parametrize("listed", [None, ["millrace_orders"]], ids=["no path yet", "it has just started"])
def test_a_worker_that_starts_does_not_say_that_no_connector_is_there(
    connect: Connect, database: Database, register: Register, listed: list[str] | None
) -> None:
    """Taken for a no, each restart of the worker would have every row read once more (seen)."""
    connect.listed = listed
    with pytest.raises(MillraceError, match="Kafka Connect is starting"):
        register(orders())
    assert (connect.asked, database.requests) == ([], [])


@pytest.mark.parametrize(
    ("page", "known"),
    [
        (b'{"error_code": 404, "message": "Connector millrace_orders not found"}', True),
        (b"<h2>HTTP ERROR 404</h2>", False),
    ],
)
def test_a_page_is_no_answer_of_connect(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, page: bytes, known: bool
) -> None:
    def refuse(*_: object, **_more: object) -> None:
        raise urllib.error.HTTPError("http://connect", 404, "Not Found", Message(), io.BytesIO(page))

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    if known:
        assert rest.call(settings, "GET", "/connectors/millrace_orders/config") is None
        return
    with pytest.raises(MillraceError, match="refuses a request"):
        rest.call(settings, "GET", "/connectors/millrace_orders/config")


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
