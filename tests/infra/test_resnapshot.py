"""`millrace resnapshot` brings every row once more, and mends what was lost: on real services."""

import json
import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from infra.connectors import rest
from infra.paths import VENV
from infra.services import source_database
from infra.stack import supervisor
from millrace.adapters import keeper_report, lake, topics
from millrace.adapters import source_database as slots
from millrace.adapters.lake.tables import _catalog
from millrace.contract import names
from millrace.contract.changes import POSITION_GONE
from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.contract.source_epoch import SourceEpoch
from millrace.domain.change_offsets import BrokenOffsetsError, Recorded
from millrace.settings import get_settings
from millrace.steps.change_backlog import waiting_changes
from millrace.steps.changes_state import changes_state
from millrace.steps.changes_table import COMMITTED_UNTIL, OFFSETS, RESUMED, SCHEMA, offsets_after, recorded_offsets
from millrace.steps.resnapshot import give_up_offsets
from tests.infra import small_stack
from tests.infra.following import (
    PROBLEMS,
    SERVICES,
    TOPIC,
    Message,
    application,
    arrived,
    end,
    healthy,
    insert,
    inserted,
    kill,
    log,
    messages,
    running,
    superuser,
)
from tests.topics import delete_messages_before, delete_topic

pytestmark = pytest.mark.stack
BRONZE = names.bronze_changes("orders")


@pytest.fixture(scope="module", autouse=True)
def _stack() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        # So that a slot can be lost by three segments of log, and not by two gigabytes.
        patched.setitem(source_database.SERVER.options, "max_slot_wal_keep_size", "48MB")
        _catalog.cache_clear()
        try:
            with running("postgres", "minio", *SERVICES):
                yield
        finally:
            _catalog.cache_clear()


@pytest.fixture
def problem() -> Problem:
    return get_problem("orders", PROBLEMS)


def millrace(*words: str, problem: str = "orders") -> str:
    """What the command says; it must succeed."""
    command = [str(VENV / "bin" / "millrace"), *words]
    wide = os.environ | {"COLUMNS": "250"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=400, env=wide)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read(seen: list[Message]) -> list[str]:
    return [one.key["number"] for one in seen if one.key and one.operation == "r"]


def table() -> dict[str, float]:
    with application() as connection:
        return dict(connection.execute('SELECT number, "Amount" FROM orders').fetchall())


def position(one: Message) -> tuple[SourceEpoch, int, int]:
    """As bronze tells it: `spark_jobs/transforms/envelope.py`."""
    assert one.value is not None
    source = one.value["source"]
    return (one.epoch, int(json.loads(source["sequence"])[0] or source["lsn"]), one.offset)


def told(seen: list[Message]) -> dict[str, float]:
    """What a reader knows of the table who merges by position."""
    rows: dict[str, tuple[tuple[SourceEpoch, int, int], float | None]] = {}
    for one in seen:
        if one.key and one.value:
            number, after = one.key["number"], one.value["after"]
            if number not in rows or rows[number][0] < position(one):
                rows[number] = (position(one), after["Amount"] if after else None)
    return {number: amount for number, (_, amount) in rows.items() if amount is not None}


def take_in(problem: Problem) -> None:
    """Bronze as after an ingestion of all that waits, without Spark: it counts what is recorded, not the rows."""
    lake.ensure_table(BRONZE, SCHEMA)
    branch = lake.cut_branch(BRONZE, uuid.uuid4().hex)
    properties = {
        OFFSETS: offsets_after(waiting_changes(problem), {}),
        COMMITTED_UNTIL: "2026-11-30T05:06:07.000008+00:00",
    }
    lake.append_nothing(branch, properties)
    lake.publish(branch)


def stopped(connector: str = "millrace_orders") -> None:
    rest.call(get_settings(), "PUT", f"/connectors/{connector}/stop")
    small_stack.wait_for(lambda: not (slots.slot("orders") or _NOTHING).active, "the connector left its slot")


_NOTHING = slots.Slot(active=False, wal_status=None, lag_bytes=0, left_bytes=None)


def test_every_row_is_read_once_more_while_the_application_writes(problem: Problem) -> None:
    start = end()
    with application() as connection:
        insert(connection, *(f"before-{row:04}" for row in range(3000)))
    over = threading.Event()
    written: list[str] = []

    def write() -> None:
        with application() as connection:
            while not over.is_set():
                written.append(f"while-{len(written):05}")
                insert(connection, written[-1])
                connection.execute(
                    """UPDATE orders SET "Amount" = "Amount" + 1 WHERE number = %s""",
                    [f"before-{len(written) % 2000:04}"],
                )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with application() as connection, connection.transaction():
            # Written before the rows are read, committed after: the row that is read does not know of it.
            connection.execute("""UPDATE orders SET "Amount" = 77 WHERE number = 'before-2999'""")
            said = millrace("resnapshot", "orders", "--yes")
    finally:
        over.set()
        writer.join()
    with application() as connection:
        insert(connection, "after")
    found = arrived(start, lambda seen: inserted(seen, "after") == ["after"], "the last row arrived")
    assert "rows of public.orders came to topic orders.public.orders" in said
    assert int(said.split(" rows of")[0].split()[-1].replace(",", "")) >= 3000
    assert inserted(found, "before") == [f"before-{row:04}" for row in range(3000)]
    assert inserted(found, "while") == written
    # A row that changes while its piece is read comes as that change alone.
    updated = {one.key["number"] for one in found if one.key and one.operation == "u"}
    assert set(inserted(found, "before")) <= {*read(found), *updated}
    assert len(read(found)) > 2000
    assert told(found) == table()
    assert told(found)["before-2999"] == 77
    positions = [position(one) for one in found if one.value]
    assert positions == sorted(positions)
    assert len({one.epoch for one in found}) == 1


def test_a_table_without_a_row_ends_at_once() -> None:
    with application() as connection:
        connection.execute("DELETE FROM orders")
    assert "0 rows of public.orders" in millrace("resnapshot", "orders", "--yes")


def test_nothing_is_given_up_where_nothing_is_broken(problem: Problem) -> None:
    take_in(problem)
    before = lake.head(BRONZE)
    assert give_up_offsets(problem) == ()
    assert "iven up" not in millrace("resnapshot", "orders", "--yes")
    assert lake.head(BRONZE) == before
    assert lake.stray_branches(BRONZE, older_than_seconds=-1) == []


def test_who_is_asked_and_says_no_changes_nothing(problem: Problem) -> None:
    start = end()
    command = [str(VENV / "bin" / "millrace"), "resnapshot", "orders"]
    done = subprocess.run(command, check=False, input="n\n", capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "Read every row of public.orders once more?" in done.stdout
    assert not read(messages(TOPIC, start))


def test_messages_that_are_gone_are_given_up_by_name_and_bronze_goes_on(problem: Problem) -> None:
    take_in(problem)
    gone_from = end()
    with application() as connection:
        insert(connection, "gone-1", "gone-2")
    arrived(gone_from, lambda seen: len(inserted(seen, "gone")) == 2, "they arrived")
    earliest = end()
    delete_messages_before(TOPIC, earliest)
    with pytest.raises(BrokenOffsetsError, match="gone from the topic"):
        waiting_changes(problem)
    said = millrace("resnapshot", "orders", "--yes")
    assert f"partition 0: offsets {gone_from} up to before {earliest}, which are gone" in said
    assert "The connector is made anew: among the messages that are gone may be the deletion of a row" in said
    assert recorded_offsets(BRONZE)[TOPIC].offsets == {0: earliest}
    commit = lake.newest_with(BRONZE, RESUMED)
    assert commit is not None
    assert "added-records" not in commit.properties
    assert str(gone_from) in json.loads(commit.properties[RESUMED])["given_up"][0]
    waits = waiting_changes(problem)
    assert waits.start == {0: earliest}
    assert {"gone-1", "gone-2"} <= set(read(messages(TOPIC, waits.start[0])))
    assert lake.stray_branches(BRONZE, older_than_seconds=-1) == []


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(problem: Problem) -> None:
    take_in(problem)
    before = topics.state(TOPIC)
    delete_topic(TOPIC)
    said = millrace("resnapshot", "orders", "--yes")
    assert f"topic id {before.topic_id}: all from 0: {recorded_before(before)}" in said
    after = topics.state(TOPIC)
    assert recorded_offsets(BRONZE) == {TOPIC: Recorded(after.topic_id, {0: 0})}
    assert {"gone-1", "gone-2"} <= set(read(messages(TOPIC)))


def recorded_before(state: topics.TopicState) -> str:
    return str(state.end[0])


def test_a_topic_that_ends_before_what_was_taken_in_is_read_from_its_beginning(problem: Problem) -> None:
    lake.ensure_table(BRONZE, SCHEMA)
    branch = lake.cut_branch(BRONZE, uuid.uuid4().hex)
    part = waiting_changes(problem)
    part.end[0] += 100_000
    lake.append_nothing(branch, {OFFSETS: offsets_after(part, {})})
    lake.publish(branch)
    with pytest.raises(BrokenOffsetsError, match="ends before what bronze took in"):
        waiting_changes(problem)
    assert f"what was taken in up to before {part.end[0]} no longer stands" in millrace("resnapshot", "orders", "--yes")
    assert waiting_changes(problem).start == {0: topics.state(TOPIC).earliest[0]}


def test_a_lost_slot_is_told_and_every_row_is_read_under_a_new_epoch(problem: Problem) -> None:
    old = messages(TOPIC)[-1].epoch
    with application() as connection:
        insert(connection, "stays", "leaves")
    start = arrived_all(["stays", "leaves"])
    stopped()
    with application() as connection:
        connection.execute("DELETE FROM orders WHERE number = 'leaves'")
    lose_the_slot()
    small_stack.wait_for(lambda: "its slot is lost" in log("connectors"), "the keeper tells it")
    assert "lost, with log that was not read" in millrace("status", "orders")
    said = millrace("resnapshot", "orders", "--yes")
    assert "The connector is made anew: its slot is lost" in said
    found = messages(TOPIC, start)
    assert "stays" in read(found)
    assert "leaves" not in read(found)
    [epoch] = {one.epoch for one in found}
    assert (epoch.database, epoch > old) == (old.database, True)
    slot = slots.slot("orders")
    assert slot is not None
    assert slot.wal_status == "reserved"
    with application() as connection:
        insert(connection, "again")
    arrived(start, lambda seen: inserted(seen, "again") == ["again"], "changes arrive again")


def test_a_dropped_slot_is_told_and_made_anew() -> None:
    stopped()
    with superuser() as connection:
        connection.execute("SELECT pg_drop_replication_slot('millrace_orders')")
    with application() as connection:
        insert(connection, "unseen")
    start = end()
    rest.call(get_settings(), "PUT", "/connectors/millrace_orders/resume")
    small_stack.wait_for(lambda: POSITION_GONE in str(keeper_report.missing("orders")), "the keeper tells it")
    assert "none: `millrace resnapshot orders`" in millrace("status", "orders")
    assert "The connector is made anew: its slot is not there" in millrace("resnapshot", "orders", "--yes")
    assert "unseen" in read(messages(TOPIC, start))
    assert slots.slot("orders") is not None


def test_a_connector_whose_slot_is_another_one_is_made_anew() -> None:
    """Somebody dropped the slot and made one of the same name: its log begins after the connector's position."""
    stopped()
    with superuser() as connection:
        connection.execute("SELECT pg_drop_replication_slot('millrace_orders')")
        with application() as writer:
            insert(writer, "between")
        connection.execute("SELECT pg_create_logical_replication_slot('millrace_orders', 'pgoutput')")
    start = end()
    rest.call(get_settings(), "PUT", "/connectors/millrace_orders/resume")
    small_stack.wait_for(lambda: POSITION_GONE in str(keeper_report.missing("orders")), "the keeper tells it")
    said = millrace("resnapshot", "orders", "--yes")
    assert "its position is before what its slot kept" in said
    assert "between" in read(messages(TOPIC, start))


def test_connect_killed_in_the_middle_reads_on_to_the_end() -> None:
    start = end()
    keys = [f"killed-{row:05}" for row in range(20_000)]
    with application() as connection:
        insert(connection, *keys)
    arrived(start, lambda seen: len(inserted(seen, "killed")) == len(keys), "the rows arrived")
    with ThreadPoolExecutor(1) as beside:
        said = beside.submit(millrace, "resnapshot", "orders", "--yes")
        small_stack.wait_for(lambda: len(read(messages(TOPIC, start))) > 500, "it has begun")
        kill("kafka_connect")
        assert "rows of public.orders came" in said.result()
    found = messages(TOPIC, start)
    assert {*keys} <= {*read(found)}
    positions = [position(one) for one in found if one.value]
    assert positions == sorted(positions)
    small_stack.wait_for(healthy, "everything is healthy again", seconds=90)


def test_who_may_ask_is_the_one_that_reads_the_changes() -> None:
    """And none can answer but the keeper; the application's role gained nothing."""
    with psycopg.connect(get_settings().source_dsn("debezium"), autocommit=True) as connection:
        for forbidden in ("UPDATE {} SET answer = 'done'", "DELETE FROM {}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.format(names.CONNECTOR_REQUESTS))
    with application() as connection:
        for asked in (names.CONNECTOR_REQUESTS, names.signal_table("orders")):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {asked}")


def test_status_tells_how_far_changes_have_come_and_what_is_not_known(problem: Problem) -> None:
    take_in(problem)
    small_stack.wait_for(lambda: "running" in millrace("status", "orders"), "the connector runs", seconds=90)
    said = millrace("status", "orders")
    assert "2026-11-30 05:06:07 UTC" in said
    assert " bytes behind, " in said
    with application() as connection:
        insert(connection, "waits")
    small_stack.wait_for(lambda: "rows, the oldest for" in millrace("status", "orders"), "the backlog is told")
    supervisor.calls(get_settings()).stopProcess("kafka")
    said = millrace("status", "orders")
    assert "ingest_changes: not known, Kafka cannot be reached" in said
    assert "not known: Kafka cannot be reached" in said
    assert " bytes behind, " in said
    assert "2026-11-30 05:06:07 UTC" in said
    supervisor.calls(get_settings()).stopProcess("postgres")
    said = millrace("status", "orders")
    assert "What is served and behind is not known: The catalog of the lake cannot be reached" in said
    assert " bytes behind, " in said
    supervisor.calls(get_settings()).stopProcess("source_database")
    assert "not known: The source database cannot be reached" in changes_state(problem).slot


def arrived_all(keys: list[str]) -> int:
    arrived(0, lambda seen: {*keys} <= set(inserted(seen, "")), "the rows arrived")
    return end()


def lose_the_slot() -> None:
    with superuser() as connection:
        for _ in range(6):
            connection.execute("CREATE TABLE IF NOT EXISTS elsewhere (n int)")
            connection.execute("INSERT INTO elsewhere VALUES (1)")
            connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")
    small_stack.wait_for(lambda: (slots.slot("orders") or _NOTHING).wal_status == "lost", "the slot is lost")
