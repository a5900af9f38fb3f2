"""Committed rows reach their topic once, through whatever is killed: a real database, broker and Connect."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import psutil
import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import ConfigResource

from infra.connectors import rest
from infra.connectors.topics import ensure_topic
from infra.services import postgres_server, source_database
from infra.stack import supervisor
from infra.stack.status import look
from millrace.adapters import source_database as slots
from millrace.adapters import topics
from millrace.contract.errors import MillraceError
from millrace.domain.change_offsets import waiting
from millrace.settings import get_settings
from tests.infra import small_stack
from tests.infra.following import (
    PROBLEMS,
    SERVICES,
    TOPIC,
    application,
    application_when_up,
    arrived,
    end,
    follow,
    healthy,
    insert,
    inserted,
    kill,
    log,
    messages,
    published,
    running,
    superuser,
)
from tests.infra.orders import ORDERS

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module", autouse=True)
def _stack() -> Iterator[None]:
    with running(*SERVICES):
        yield


def test_a_connector_is_registered_once_and_up_a_second_time_changes_nothing() -> None:
    report = small_stack.HOME / "connectors" / "missing.json"
    for _ in range(2):
        seen = report.stat().st_mtime_ns
        small_stack.wait_for(lambda seen=seen: report.stat().st_mtime_ns > seen, "the keeper looked again")
    assert all(words.endswith("ready (was up)") for words in small_stack.up(*SERVICES))
    assert log("connectors").count("orders: registered") == 1
    assert sorted(rest.call(get_settings(), "GET", "/connectors")) == ["millrace_orders", "millrace_warehouse"]


def test_everything_listens_on_loopback_only() -> None:
    roots = [psutil.Process(state.pid) for state in look(small_stack.settings()) if state.pid]
    ours = {process.pid for root in roots for process in (root, *root.children(recursive=True))}
    listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN and one.pid in ours]
    assert {one.laddr.port for one in listening} >= {
        get_settings().port(name) for name in ("kafka", "kafka_connect", "kafka_controller", "source_database")
    }
    assert {one.laddr.ip for one in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_a_stranger_may_not_use_connect() -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{get_settings().kafka_connect_url}/connectors", timeout=10)


def test_every_kind_of_change_arrives_in_its_order() -> None:
    start = end()
    with application() as connection:
        insert(connection, "one", "two")
        connection.execute("""UPDATE orders SET kept = 0, "Amount" = 'NaN' WHERE number = 'one'""")
        connection.execute("UPDATE orders SET number = 'three' WHERE number = 'two'")
        connection.execute("DELETE FROM orders WHERE number = 'one'")
        connection.execute("TRUNCATE orders")
    found = arrived(start, lambda seen: any(one.operation == "t" for one in seen), "the truncate arrived")
    told = [(one.operation, one.key["number"] if one.key else None) for one in found]
    assert told == [
        ("c", "one"),
        ("c", "two"),
        ("u", "one"),
        # A key change: the old key is deleted, the new one inserted.
        ("d", "two"),
        ("tombstone", "two"),
        ("c", "three"),
        ("d", "one"),
        ("tombstone", "one"),
        ("t", None),
    ]
    update = found[2].value
    assert update is not None
    # By its replica identity the row as it was is whole; a broken value is committed, and told.
    assert update["before"]["Amount"] == 1.5
    assert update["after"]["Amount"] == "NaN"
    positions = [one.value["source"]["lsn"] for one in found if one.value]
    assert positions == sorted(positions)
    assert len({one.epoch for one in found}) == 1


def test_broken_values_can_be_committed_and_debezium_may_only_read() -> None:
    with application() as connection:
        connection.execute("INSERT INTO orders (number) VALUES ('bare')")
    with psycopg.connect(get_settings().source_dsn("debezium"), autocommit=True) as connection:
        assert connection.execute("SELECT number FROM orders").fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM orders")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE public.own (id int)")


def test_a_role_that_follows_a_database_may_not_copy_the_server() -> None:
    with psycopg.connect(get_settings().source_dsn("debezium"), replication="database") as connection:
        assert connection.pgconn.exec_(b"IDENTIFY_SYSTEM").status == psycopg.pq.ExecStatus.TUPLES_OK
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects replication"):
        psycopg.connect(get_settings().source_dsn("debezium"), replication="true")


@pytest.mark.faults
def test_a_killed_worker_loses_nothing_and_repeats_nothing() -> None:
    start, registered = end(), log("connectors").count("orders: registered")
    with application() as connection:
        connection.execute("DELETE FROM orders")
        for batch in range(30):
            insert(connection, *(f"worker-{batch:02}-{row:02}" for row in range(10)))
            if batch == 10:
                kill("kafka_connect")
    wanted = [f"worker-{batch:02}-{row:02}" for batch in range(30) for row in range(10)]
    found = arrived(start, lambda seen: len(inserted(seen, "worker")) >= len(wanted), "every row arrived")
    assert inserted(found, "worker") == wanted
    small_stack.wait_for(healthy, "everything is healthy again", seconds=90)
    # A worker that is starting knows of no connector: that is no reason to begin anew.
    assert log("connectors").count("orders: registered") == registered


@pytest.mark.faults
def test_a_killed_broker_loses_nothing_and_repeats_nothing() -> None:
    start = end()
    with application() as connection:
        insert(connection, *(f"broker-{row}" for row in range(100)))
        kill("kafka")
        insert(connection, *(f"broker-{row}" for row in range(100, 200)))
    small_stack.wait_for(healthy, "everything is healthy again", seconds=120)
    found = arrived(start, lambda seen: len(inserted(seen, "broker")) >= 200, "every row arrived")
    assert inserted(found, "broker") == [f"broker-{row}" for row in range(200)]


@pytest.mark.faults
def test_a_killed_source_database_loses_nothing_and_repeats_nothing() -> None:
    start = end()
    with application() as connection:
        insert(connection, *(f"source-{row}" for row in range(100)))
        kill("source_database")
    with application_when_up() as connection:
        insert(connection, *(f"source-{row}" for row in range(100, 200)))
    found = arrived(start, lambda seen: len(inserted(seen, "source")) >= 200, "every row arrived")
    assert inserted(found, "source") == [f"source-{row}" for row in range(200)]
    small_stack.wait_for(healthy, "everything is healthy again", seconds=90)


@pytest.mark.faults
def test_a_task_that_failed_is_started_again() -> None:
    start = end()
    with superuser() as connection:
        connection.execute("ALTER ROLE debezium NOREPLICATION")
        try:
            rest.call(get_settings(), "POST", "/connectors/millrace_orders/restart?includeTasks=true")
            small_stack.wait_for(lambda: "orders: restarted, FAILED" in log("connectors"), "the keeper saw it failed")
        finally:
            connection.execute("ALTER ROLE debezium REPLICATION")
    with application() as connection:
        insert(connection, "mended")
    arrived(start, lambda seen: inserted(seen, "mended") == ["mended"], "changes arrive again")
    small_stack.wait_for(healthy, "everything is healthy again", seconds=90)


def test_what_is_not_committed_is_not_counted() -> None:
    """The last stable end stands before an open transaction; an aborted one has markers and no message."""
    ensure_topic("scratch", get_settings())
    servers = {"bootstrap.servers": get_settings().kafka_servers}
    committed = Producer(servers | {"transactional.id": "committed"})
    committed.init_transactions(20)
    committed.begin_transaction()
    committed.produce("scratch", b"1")
    committed.commit_transaction(20)
    # The producer is told that its transaction ended before the partition's marker is written (seen on a busy machine).
    small_stack.wait_for(lambda: topics.state("scratch").end[0] == 2, "the marker is written")
    after_commit = topics.state("scratch")
    opened = Producer(servers | {"transactional.id": "opened"})
    opened.init_transactions(20)
    opened.begin_transaction()
    opened.produce("scratch", b"2")
    assert opened.flush(20) == 0
    committed.begin_transaction()
    committed.produce("scratch", b"3")
    committed.commit_transaction(20)
    assert topics.state("scratch") == after_commit
    everything = waiting(after_commit, None, problem="orders")
    sent = topics.oldest_at(everything)
    assert sent is not None
    assert abs(time.time() - sent) < 60
    opened.abort_transaction(20)
    small_stack.wait_for(lambda: topics.state("scratch").end[0] > after_commit.end[0], "the markers are written")
    aborted = topics.state("scratch")
    assert aborted.topic_id == after_commit.topic_id
    # From behind the first message on there are an aborted one, one that counts, and markers.
    rest_of_it = waiting(aborted, None, problem="orders")
    rest_of_it.start[0] = after_commit.end[0]
    assert topics.oldest_at(rest_of_it) is not None
    rest_of_it.start[0] = aborted.end[0] - 1
    assert topics.oldest_at(rest_of_it) is None


def test_a_topic_made_anew_has_another_id() -> None:
    ensure_topic("renewed", get_settings())
    first = topics.state("renewed").topic_id
    admin = topics._admin(get_settings().kafka_servers, os.getpid())
    admin.delete_topics(["renewed"])["renewed"].result(20)
    small_stack.wait_for(lambda: ensure_topic("renewed", get_settings()), "the topic can be made anew")

    def is_another() -> bool:
        # The broker that answers may not have heard of it yet.
        with suppress(MillraceError):
            return topics.state("renewed").topic_id != first
        return False

    small_stack.wait_for(is_another, "the topic has another id")


def test_a_missing_topic_is_told() -> None:
    with pytest.raises(MillraceError, match=r"There is no topic orders\.public\.nothing"):
        topics.state("orders.public.nothing")


def test_the_slot_moves_while_nobody_writes() -> None:
    before = slots.slot("orders")
    assert before is not None
    assert before.wal_status == "reserved"
    assert slots.slot("nobody") is None
    with superuser() as connection:
        # Log of a table that nobody follows: only the heartbeat lets the slot pass it.
        connection.execute("CREATE TABLE IF NOT EXISTS elsewhere AS SELECT generate_series(1, 100000) AS n")
    small_stack.wait_for(lambda: (slots.slot("orders") or before).lag_bytes < 1_000_000, "the slot moved on")


def test_a_problem_that_comes_later_is_followed_from_the_rows_that_are_there() -> None:
    late = ORDERS.replace("orders", "late").replace("changes: {}", "changes: {table: shop.late_orders}")
    with superuser() as connection:
        connection.execute("CREATE SCHEMA shop AUTHORIZATION application")
    with application() as connection:
        connection.execute("CREATE TABLE shop.late_orders (number text PRIMARY KEY, ordered_at timestamptz)")
        connection.execute("INSERT INTO shop.late_orders VALUES ('old', now())")
    follow("late", late.replace("late_at", "ordered_at"))
    topic = "late.shop.late_orders"
    small_stack.wait_for(lambda: "late: registered" in log("connectors"), "the connector is registered")
    found = arrived(0, bool, "the row that was there arrived", topic=topic)
    assert [(one.operation, one.key) for one in found] == [("r", {"number": "old"})]
    # The columns that the contract has and the table had not.
    value = found[0].value
    assert value is not None
    assert value["after"].keys() == {"number", "ordered_at", "Amount", "express", "kept"}
    assert published("millrace_late") == {"shop.late_orders", "millrace.late_heartbeat", "millrace.late_signal"}


def test_a_changed_contract_adds_its_column_and_registers_anew() -> None:
    before = messages(TOPIC)[-1].epoch
    changed = ORDERS.replace("changes: {}", "changes: {table: public.orders_2}").replace(
        "      express:", "      gift: {type: boolean, nullable: true}\n      express:"
    )
    follow("orders", changed)
    told = "orders: registered anew: table.include.list changed"
    small_stack.wait_for(lambda: told in log("connectors"), "the connector is registered anew")
    assert published("millrace_orders") == {"public.orders_2", "millrace.orders_heartbeat", "millrace.orders_signal"}
    with psycopg.connect(get_settings().source_dsn("debezium"), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM orders")
        connection.execute("SELECT gift FROM orders_2")
    with application() as connection:
        connection.execute("INSERT INTO orders_2 (number, gift) VALUES ('new', true)")
    found = arrived(0, bool, "its changes arrive", topic="orders.public.orders_2")
    assert found[-1].value is not None
    assert found[-1].value["after"]["gift"] is True
    # When every row of this table has come, what the other one held is no more.
    assert found[-1].epoch > before
    follow("orders", ORDERS)
    small_stack.wait_for(lambda: log("connectors").count(told) == 2, "the connector is registered anew")
    small_stack.wait_for(healthy, "everything is healthy again")


def test_a_signal_reads_every_row_once_more_while_changes_go_on() -> None:
    start = end()
    with application() as connection:
        connection.execute("DELETE FROM orders")
        insert(connection, "again-1", "again-2")
    # A signal that came while the connector was being registered anew was once not heard: first it must read again.
    arrived(start, lambda seen: len(inserted(seen, "again")) == 2, "the changes arrived")
    # Before stands the snapshot with which the epoch of the other table's end began.
    start = end()
    with psycopg.connect(get_settings().source_dsn("debezium"), autocommit=True) as connection:
        told = json.dumps({"data-collections": ["public.orders"], "type": "incremental"})
        connection.execute("INSERT INTO millrace.orders_signal VALUES ('test-again', 'execute-snapshot', %s)", [told])
    read = lambda seen: {one.key["number"] for one in seen if one.key and one.operation == "r"}  # noqa: E731
    arrived(start, lambda seen: read(seen) == {"again-1", "again-2"}, "every row was read")


def test_a_connector_that_somebody_deleted_begins_anew_with_every_row() -> None:
    """Connect keeps its position, and the database its slot: with them, no snapshot would come."""
    with application() as connection:
        connection.execute("DELETE FROM orders")
        insert(connection, "deleted-stays", "deleted-leaves")
    old = arrived(0, lambda seen: "deleted-leaves" in inserted(seen, "deleted"), "the rows arrived")[-1].epoch
    start = end()
    rest.call(get_settings(), "DELETE", "/connectors/millrace_orders")
    with application() as connection:
        connection.execute("DELETE FROM orders WHERE number = 'deleted-leaves'")
    of_later = lambda seen: [one for one in seen if one.epoch > old]  # noqa: E731
    found = of_later(arrived(start, lambda seen: bool(of_later(seen)), "it began anew"))
    assert [(one.operation, one.key) for one in found] == [("r", {"number": "deleted-stays"})]
    assert found[0].epoch.database == old.database
    small_stack.wait_for(healthy, "everything is healthy again", seconds=90)
    with application() as connection:
        insert(connection, "deleted-after")
    arrived(start, lambda seen: inserted(seen, "deleted-after") == ["deleted-after"], "changes go on")


def test_a_problem_without_its_file_is_forgotten_when_it_is_asked() -> None:
    follow("brief", ORDERS.replace("orders", "brief").replace("brief_at", "ordered_at"))
    arrives = lambda: "millrace_brief" in rest.call(get_settings(), "GET", "/connectors")  # noqa: E731
    small_stack.wait_for(arrives, "the connector is registered")
    small_stack.wait_for(lambda: slots.slot("brief") is not None, "its slot is there")
    request = slots.ask_forget("brief")
    report = small_stack.HOME / "connectors" / "missing.json"
    looked = report.stat().st_mtime_ns
    small_stack.wait_for(lambda: report.stat().st_mtime_ns > looked, "the keeper looked")
    assert slots.answer(request) is None, "its file is there"
    (PROBLEMS / "brief.yaml").unlink()
    small_stack.wait_for(lambda: slots.answer(request), "the keeper answers")
    assert "millrace_brief" not in rest.call(get_settings(), "GET", "/connectors")
    assert slots.slot("brief") is None
    assert published("millrace_brief") == set()
    with superuser() as connection:
        left = connection.execute(
            "SELECT to_regclass('millrace.brief_heartbeat'), to_regclass('millrace.brief_signal')"
        )
        assert left.fetchall() == [(None, None)]
    with application() as connection:
        connection.execute("DROP TABLE brief")
    small_stack.wait_for(healthy, "everything is healthy again", seconds=90)


@pytest.mark.faults
def test_a_promoted_database_is_another_epoch_and_its_predecessors_connector_is_refused() -> None:
    settings = get_settings()
    rpc = supervisor.calls(settings)
    old = messages(TOPIC)[-1].epoch
    # The keeper is away: what holds now is the demand of the connector itself.
    rpc.stopProcess("connectors")
    rpc.stopProcess("source_database")
    data = postgres_server.data_folder(source_database.SERVER, settings)
    with (data / "postgresql.auto.conf").open("a") as file:
        file.write("restore_command = 'false'\n")
    (data / "recovery.signal").touch()
    postgres_server.give_away(data / "recovery.signal")
    rpc.startProcess("source_database")
    with application_when_up() as connection:
        start = end()
        insert(connection, "restored")
    small_stack.wait_for(lambda: "it was restored or promoted" in log("kafka_connect"), "the connector was refused")
    assert not [one for one in messages(TOPIC, start) if one.key == {"number": "restored"}]
    rpc.startProcess("connectors")
    restored = lambda seen: any(one.key == {"number": "restored"} for one in seen)  # noqa: E731
    found = arrived(start, restored, "every row was read once more")
    assert {one.epoch for one in found} == {found[0].epoch}
    assert old < found[0].epoch
    assert (old.timeline, found[0].epoch.timeline) == (1, 2)
    assert {one.operation for one in found} == {"r"}
    small_stack.wait_for(healthy, "everything is healthy again", seconds=90)


def test_a_topic_of_producers_is_made_and_one_that_is_there_stays_as_it_is() -> None:
    ensure_topic("shop.there", get_settings(), partitions=2)
    files = [PROBLEMS / f"{name}.yaml" for name in ("made", "there")]
    try:
        for file in files:
            text = ORDERS.replace("problem: orders", f"problem: {file.stem}").replace("  orders:", f"  {file.stem}:")
            follow(file.stem, text.replace("changes: {}", f"topic: {{name: shop.{file.stem}, partitions: 3}}"))
        small_stack.wait_for(lambda: "made: topic shop.made is made" in log("connectors"), "the topic is made")
        small_stack.wait_for(lambda: _partitions("shop.made") == 3, "the broker leads all of it")
        # By the time at which the broker took it: what a producer dates back would be gone at once.
        assert _configured("shop.made", "message.timestamp.type") == "LogAppendTime"
        assert _configured("shop.made", "retention.ms") == str(7 * 24 * 3600 * 1000)
        assert len(topics.state("shop.there").end) == 2
        assert _configured("shop.there", "message.timestamp.type") == "CreateTime"
        assert healthy()
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def test_a_broker_that_is_away_is_told_within_seconds() -> None:
    supervisor.calls(get_settings()).stopProcess("kafka")
    began = time.monotonic()
    with pytest.raises(MillraceError, match="Kafka cannot be reached") as caught:
        topics.state(TOPIC)
    assert time.monotonic() - began < 3 * topics.PATIENCE_SECONDS
    assert get_settings().kafka_servers in caught.value.place


def test_no_secret_was_told() -> None:
    settings = get_settings()
    logs = "".join(log(service) for service in SERVICES)
    secrets = (f"{name}_password" for name in ("source_debezium", "source_database", "warehouse_debezium"))
    for name in (*secrets, "kafka_connect_password"):
        assert getattr(settings, name).get_secret_value() not in logs


def _partitions(topic: str) -> int | None:
    """How many there are; None while the broker, which has just made them, does not lead each of them yet."""
    try:
        return len(topics.state(topic).end)
    except MillraceError as error:
        if "leader" not in error.found.lower():
            raise
        return None


def _configured(topic: str, key: str) -> str:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    admin = topics._admin(get_settings().kafka_servers, os.getpid())
    return str(admin.describe_configs([resource])[resource].result(20)[key].value)
