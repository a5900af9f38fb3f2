"""Each published gold row reaches its topic once: real gold, warehouse, Debezium and broker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource
from rich.console import Console

from infra.backup import databases
from infra.backup.backup import back_up
from infra.backup.restore import restore
from infra.connectors import rest
from infra.progress import Board
from infra.services import postgres
from infra.stack import supervisor
from millrace.adapters import source_database, warehouse
from millrace.adapters.lake.tables import _catalog
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.changes_state import warehouse_state
from millrace.steps.load_warehouse import load_warehouse
from tests.infra import small_stack
from tests.infra.following import SERVICES, arrived, kill, log, messages, running
from tests.infra.publishing import healthy, problem_of, publish, published, row, superuser, there, told

pytestmark = pytest.mark.stack
CONNECTOR = f"/connectors/{names.connector(names.WAREHOUSE)}"


@pytest.fixture(scope="module", autouse=True)
def _stack() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        # So that a slot can be lost by three segments of log, and not by two gigabytes.
        patched.setitem(postgres.SERVER.options, "max_slot_wal_keep_size", "48MB")
        patched.setitem(postgres.SERVER.options, "wal_level", "replica")
        _catalog.cache_clear()
        try:
            with running("postgres", "minio"):
                # As an earlier version left it.
                publish("before", 1, row("old", 1))
                with superuser() as connection:
                    connection.execute("DROP PUBLICATION millrace_warehouse")
                patched.setitem(postgres.SERVER.options, "wal_level", "logical")
                small_stack.up(*SERVICES)
                yield
        finally:
            _catalog.cache_clear()


def test_rows_that_were_there_before_are_read_once_and_later_ones_follow() -> None:
    """Of a stack of an earlier version, whose Postgres `make up` has started anew."""
    assert published("before", "old", operation="r") == [("r", "old", 1)]
    publish("before", 2, row("next", 2))
    assert published("before", "next") == [("r", "old", 1), ("c", "next", 2)]
    assert log("connectors").count("warehouse: registered") == 1


def test_each_published_row_is_told_once_whatever_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first load makes the table: its rows come like those of every other."""
    problem = problem_of("again")
    first = [row(f"k{number}", 1) for number in range(100)]
    assert publish("again", 1, *first)["upserted"] == 100
    assert load_warehouse(problem)["outcome"] == "current"
    killed_load(problem, monkeypatch, row("k0", 2, Size=2.0), without="row_key = 'k0'")
    assert load_warehouse(problem)["upserted"] == 1
    # As `millrace apply` leaves it: every row written anew, under another number, with the values that it had.
    again = [row("k0", 3, Size=2.0), *(row(f"k{number}", 3) for number in range(1, 100))]
    assert publish("again", 3, *again, without="gold_seq > 0")["upserted"] == 0
    publish("again", 4, row("k1", 4, label=None), row("last", 4), without="row_key IN ('k1', 'k2')")
    assert published("again", "k2", operation="tombstone") == [
        *(("c", each["row_key"], 1) for each in first),
        ("u", "k0", 2),
        ("u", "k1", 4),
        ("c", "last", 4),
        ("d", "k2", None),
        ("tombstone", "k2", None),
    ]


def killed_load(problem: Problem, monkeypatch: pytest.MonkeyPatch, *rows: dict[str, Any], without: str) -> None:
    def die(*_: object) -> None:
        raise ConnectionError("killed before the end")

    with monkeypatch.context() as patched:
        patched.setattr(warehouse, "record", die)
        with pytest.raises(ConnectionError):
            publish(problem.problem, rows[0]["gold_seq"], *rows, without=without)


def test_a_message_holds_the_row_and_no_sensitive_column() -> None:
    publish("whole", 1, row("k", 1))
    published("whole", "k")
    [message] = messages(names.published_topic("whole"))
    assert message.value is not None
    after = message.value["after"]
    assert "mail" not in after
    with warehouse.connect() as connection:
        [[snapshot]] = connection.execute("SELECT gold_snapshot_id FROM warehouse.serving_whole").fetchall()
    assert after.pop("loaded_at").endswith("Z")
    assert after == {
        **row("k", 1),
        "event_timestamp": "2026-01-02T03:04:05.678901Z",
        "gold_snapshot_id": snapshot,
    }


def test_the_topic_keeps_the_newest_row_of_each_key_and_all_of_seven_days() -> None:
    publish("kept", 1, row("k", 1))
    published("kept", "k")
    resource = ConfigResource(ConfigResource.Type.TOPIC, names.published_topic("kept"))
    admin = AdminClient({"bootstrap.servers": get_settings().kafka_servers})
    [answer] = admin.describe_configs([resource]).values()
    found = {name: one.value for name, one in answer.result(10).items()}
    assert (found["cleanup.policy"], found["min.compaction.lag.ms"]) == ("compact", str(7 * 24 * 3600 * 1000))


def test_debezium_reads_serving_tables_and_nothing_else() -> None:
    publish("read", 1, row("k", 1))
    settings = get_settings()
    password = settings.warehouse_debezium_password.get_secret_value()
    dsn = f"postgresql://debezium:{password}@127.0.0.1:{settings.port('postgres')}"
    with psycopg.connect(f"{dsn}/warehouse", autocommit=True) as connection:

        def may_read() -> bool:
            try:
                return bool(connection.execute("SELECT * FROM warehouse.serving_read").fetchall())
            except psycopg.errors.InsufficientPrivilege:
                return False

        small_stack.wait_for(may_read, "the keeper granted it")
        for forbidden in (
            "SELECT * FROM warehouse.gold_loaded",
            "DELETE FROM warehouse.serving_read",
            "CREATE TABLE warehouse.own (id int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(f"{dsn}/iceberg")


def test_a_table_that_is_dropped_before_its_rows_are_read_stops_nothing() -> None:
    """A topic that is compacted takes no message without a key, and a dropped table has none any more."""
    rest.call(get_settings(), "PUT", f"{CONNECTOR}/stop")
    publish("dropped", 1, row("k", 1))
    with warehouse.connect() as connection:
        warehouse.forget(connection, "dropped")
    publish("goes_on", 1, row("k", 1))
    rest.call(get_settings(), "PUT", f"{CONNECTOR}/resume")
    assert published("goes_on", "k") == [("c", "k", 1)]
    small_stack.wait_for(healthy, "the connector runs", seconds=90)


def test_the_slot_moves_while_only_another_database_is_written_to() -> None:
    with psycopg.connect(get_settings().postgres_dsn("iceberg")) as connection:
        connection.execute("CREATE TABLE elsewhere AS SELECT generate_series(1, 100000) AS n")
    small_stack.wait_for(lambda: lag_bytes() < 1_000_000, "the slot moved on")
    assert "bytes behind" in warehouse_state().slot
    assert warehouse_state().connector == "running"


def lag_bytes() -> int:
    with superuser() as connection:
        slot = source_database.slot_in(connection, names.WAREHOUSE)
    return slot.lag_bytes if slot else 1 << 40


@pytest.mark.faults
def test_a_killed_worker_tells_no_row_twice() -> None:
    wanted = []
    for seq in range(1, 11):
        publish("worker", seq, *(row(f"k{seq}-{number}", seq) for number in range(20)))
        wanted += [("c", f"k{seq}-{number}", seq) for number in range(20)]
        if seq == 4:
            kill("kafka_connect")
    publish("worker", 11, row("last", 11))
    assert published("worker", "last") == [*wanted, ("c", "last", 11)]
    small_stack.wait_for(healthy, "the connector runs", seconds=90)


def test_a_lost_slot_begins_anew_with_every_row() -> None:
    publish("lost", 1, row("stays", 1), row("goes", 1))
    published("lost", "goes")
    topic = names.published_topic("lost")
    before = messages(topic)
    rest.call(get_settings(), "PUT", f"{CONNECTOR}/stop")
    publish("lost", 2, row("comes", 2), without="row_key = 'goes'")
    lose_the_slot()
    later = lambda seen: [one for one in seen if one.epoch > before[0].epoch]  # noqa: E731
    anew = later(arrived(0, lambda seen: len(later(seen)) >= 2, "it began anew", topic=topic))
    assert "its slot is lost" in log("connectors")
    # What this epoch does not bring is no more.
    assert sorted(told(anew)) == [("r", "comes", 2), ("r", "stays", 1)]
    publish("lost", 3, row("after", 3))
    assert published("lost", "after")[-1] == ("c", "after", 3)
    small_stack.wait_for(healthy, "the connector runs", seconds=90)


def lose_the_slot() -> None:
    with superuser() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS noise (n int)")
        for _ in range(6):
            connection.execute("INSERT INTO noise VALUES (1)")
            connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")


def test_a_backup_whose_log_is_gone_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What bounds the log for connectors bounds it for a backup, too: half of one must not look like a whole one."""
    add = databases._add

    def while_much_is_written(tar: Any, path: Path, name: str) -> None:
        add(tar, path, name)
        if name == "PG_VERSION":
            lose_the_slot()

    monkeypatch.setattr(databases, "_add", while_much_is_written)
    board = Board(Console(quiet=True), None)
    with pytest.raises(MillraceError, match="The backup is not whole"):
        back_up(small_stack.settings(), tmp_path / "half", board)
    assert list(tmp_path.iterdir()) == []
    # Its slot was lost, too: what comes now comes from the log, or from a snapshot, after which it is well again.
    publish("settled", 1, row("k", 1))
    # A connector that fails takes a while to stop.
    small_stack.wait_for(lambda: there(names.published_topic("settled")), "changes arrive again", seconds=200)
    small_stack.wait_for(healthy, "the connector runs", seconds=90)


def test_a_restored_warehouse_is_published_anew(tmp_path: Path) -> None:
    publish("restored", 1, row("kept", 1))
    published("restored", "kept")
    settings, board = small_stack.settings(), Board(Console(quiet=True), None)
    back_up(settings, tmp_path / "backup", board)
    publish("restored", 2, row("unkept", 2))
    published("restored", "unkept")
    old = messages(names.published_topic("restored"))
    restore(settings, tmp_path / "backup", board, force=True)
    _catalog.cache_clear()
    small_stack.up("minio", *SERVICES)
    topic = names.published_topic("restored")
    later = lambda seen: [one for one in seen if one.epoch > old[-1].epoch]  # noqa: E731
    found = later(arrived(0, lambda seen: bool(later(seen)), "it began anew", topic=topic))
    assert told(found) == [("r", "kept", 1)]
    publish("restored", 2, row("again", 2))
    assert published("restored", "again")[-1] == ("c", "again", 2)
    small_stack.wait_for(healthy, "the connector runs", seconds=90)


def test_no_secret_was_told() -> None:
    secret = get_settings().warehouse_debezium_password.get_secret_value()
    assert secret
    assert not [service for service in ("kafka_connect", "connectors") if secret in log(service)]
    config = rest.call(get_settings(), "GET", f"{CONNECTOR}/config")
    assert secret not in str(config)
    assert supervisor.states(small_stack.settings())["kafka_connect"]["statename"] == "RUNNING"
