"""Topic to bronze: every committed message once, its bytes kept, whoever is killed or comes second."""

import json
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import LostRaceError, MillraceError, VerdictError
from millrace.contract.problem import Problem
from millrace.steps import ingest_changes as step
from millrace.steps.changes_table import committed_until, recorded_offsets
from millrace.steps.ingest_changes import ingest_changes
from millrace.steps.pending import pending_ingest_changes
from millrace.steps.resnapshot import give_up_offsets
from tests.steps.transforming import problem_named, removed_afterwards, with_changes
from tests.topics import EPOCH, Sender, change, delete_messages_before, made_anew, own_topic, rows

pytestmark = pytest.mark.stack


@pytest.fixture
def problem(request: pytest.FixtureRequest) -> Iterator[Problem]:
    """Sales whose changes are followed; not in a problem file, so that no connector sends to its topic."""
    told = {"rows": 5, "seconds": 3600, "max_rows": 1000} | getattr(request, "param", {})
    with removed_afterwards(with_changes(problem_named(uuid.uuid4().hex[:8]), told)) as made:
        yield made


@pytest.fixture
def sender(problem: Problem) -> Iterator[Sender]:
    with own_topic(problem) as sender:
        yield sender


def ingest(spark: SparkSession, problem: Problem, attempt: str) -> dict[str, Any]:
    return ingest_changes(spark, problem, attempt=attempt, run_id=attempt)


def bronze(problem: Problem) -> list[dict[str, Any]]:
    found = lake.read(names.bronze_changes(problem.source_name)).to_pylist()
    return sorted(found, key=lambda row: (row["partition"], row["offset"]))


def keys(problem: Problem) -> list[str]:
    return [json.loads(row["key"])["id"] for row in bronze(problem) if row["key"]]


def branches(problem: Problem) -> list[str]:
    return lake.stray_branches(names.bronze_changes(problem.source_name), older_than_seconds=-1)


@pytest.mark.parametrize("problem", [{"allow_truncate": True}], indirect=True)
def test_a_committed_message_comes_once_with_its_position_and_bytes(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    row = {"id": "é", "seen_at": "2026-01-01T00:00:00Z", "size": 1.5, "note": None, "phone": "1", "sold": 1}
    update = change("u", before=row, after=row | {"sold": 0}, lsn=11)
    delete = change("d", before=row, lsn=12)
    sender.send(change("c", after=row, lsn=10), update)
    sender.send(delete, {**delete, "value": None}, change("t", lsn=13))
    told = ingest(spark, problem, "first")
    assert (told["messages"], told["malformed"], told["truncates"], told["left"]) == (5, {}, 1, 0)
    assert told["committed_until"].endswith(".000013+00:00")
    until = committed_until(names.bronze_changes(problem.source_name))
    assert until is not None
    assert until.timestamp() == pytest.approx(1_796_000_000.000013, abs=1e-6)
    found = bronze(problem)
    assert [(one["operation"], one["lsn"]) for one in found] == [
        ("c", 10),
        ("u", 11),
        ("d", 12),
        ("tombstone", None),
        ("t", 13),
    ]
    assert found[1]["value"] == update["value"]
    assert found[2]["key"] == delete["key"]
    assert {one["epoch"] for one in found} == {str(EPOCH)}
    assert {(one["run_id"], one["malformed"]) for one in found} == {("first", None)}
    assert branches(problem) == []

    before = lake.head(names.bronze_changes(problem.source_name))
    again = ingest(spark, problem, "second")
    assert (again["messages"], again["snapshot_id"]) == (0, told["snapshot_id"])
    assert lake.head(names.bronze_changes(problem.source_name)) == before


def test_aborted_messages_never_come_and_open_ones_wait(spark: SparkSession, problem: Problem, sender: Sender) -> None:
    sender.begin(*rows("aborted", 2))
    sender.abort()
    sender.send(*rows("a", 2))
    opened = Sender(problem)
    opened.begin(*rows("open", 1))
    # After it in the topic, and committed: it waits for the open one all the same.
    sender.send(*rows("b", 1))
    assert ingest(spark, problem, "first")["messages"] == 2
    assert keys(problem) == ["a0", "a1"]
    opened.commit()
    assert ingest(spark, problem, "second")["messages"] == 2
    assert keys(problem) == ["a0", "a1", "open0", "b0"]


def test_a_range_of_aborted_messages_alone_brings_no_row_and_is_passed(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    sender.begin(*rows("aborted", 20))
    sender.abort()
    # Twenty messages and a marker, of which no reader sees one: nothing fires.
    assert pending_ingest_changes(problem) is None
    told = ingest(spark, problem, "first")
    assert (told["messages"], told["left"], bronze(problem)) == (0, 0, [])
    # Recorded without a row, or each run would read them once more.
    assert recorded_offsets(names.bronze_changes(problem.source_name))[sender.topic].offsets == {0: 21}
    sender.send(*rows("a", 1))
    assert ingest(spark, problem, "second")["messages"] == 1


@pytest.mark.parametrize("micros", [-62_135_510_400_000_000, 253_402_214_400_000_000])
def test_the_first_and_the_last_time_that_can_be_told_are_times(
    spark: SparkSession, problem: Problem, sender: Sender, micros: int
) -> None:
    row = rows("k", 1)[0]
    told = json.loads(row["value"])
    told["source"]["ts_us"] = micros
    sender.send(row | {"value": json.dumps(told).encode()})
    assert ingest(spark, problem, "first")["malformed"] == {}
    assert bronze(problem)[0]["committed_at"].timestamp() == micros / 1e6
    assert committed_until(names.bronze_changes(problem.source_name)) == bronze(problem)[0]["committed_at"]


def test_messages_that_cannot_be_read_are_kept_and_stop_nothing(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    good = rows("k", 1)[0]
    headers = good["headers"]
    broken = {
        b"\xff\xfe\x00": "value: not UTF-8",
        b'{"op": ': "value: not JSON of an envelope",
        b"[1, 2]": "value: not JSON of an envelope",
        good["value"].replace(b'"op": "c"', b'"op": "x"'): "value: unknown operation",
        good["value"].replace(b'"lsn": 0', b'"lsn": null'): "value: no position",
        good["value"].replace(b'"op": "c"', b'"op": "d"'): "value: no row",
        # Later than any time that Python or Spark can hold, and none at all.
        good["value"].replace(b'"ts_us": 1', b'"ts_us": 999991'): "value: no time",
        good["value"].replace(b'"ts_us": 1796', b'"ts_us": -9223372036854775808, "was": 1796'): "value: no time",
        good["value"].replace(b'"ts_us": 1796', b'"ts_us": null, "was": 1796'): "value: no time",
    }
    sender.send(good, *({"key": good["key"], "value": value, "headers": headers} for value in broken))
    sender.send({"key": None, "value": good["value"], "headers": headers})
    sender.send({"key": good["key"], "value": good["value"], "headers": [(headers[0][0], b"yesterday")]}, good)
    told = ingest(spark, problem, "first")
    found = bronze(problem)
    assert [one["malformed"] for one in found] == [None, *broken.values(), "key: missing", "header: no epoch", None]
    assert [one["value"] for one in found[1:10]] == list(broken)
    assert {one["operation"] for one in found if one["malformed"]} == {None}
    assert told["malformed"]["value: not JSON of an envelope"] == 2
    assert told["messages"] == 13


@pytest.mark.parametrize("problem", [{"max_rows": 10}], indirect=True)
def test_a_run_takes_no_more_than_it_may_and_the_next_one_goes_on(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    for first in range(0, 24, 4):
        sender.send(*rows("k", 4, first=first))
    assert "messages wait" in str(pending_ingest_changes(problem))
    told = [ingest(spark, problem, f"run-{n}") for n in range(3)]
    # Ends of transactions take an offset each, which no one can tell from a message before it is read.
    assert [one["left"] for one in told] == [20, 10, 0]
    assert all(one["messages"] <= 10 for one in told)
    assert keys(problem) == [f"k{n}" for n in range(24)]
    assert pending_ingest_changes(problem) is None


def test_the_second_of_two_attempts_is_refused(
    spark: SparkSession, problem: Problem, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.send(*rows("k", 3))
    write = step.append_range

    def beside_another(*arguments: Any, **named: Any) -> None:
        monkeypatch.setattr(step, "append_range", write)
        assert ingest(spark, problem, "other")["messages"] == 3
        write(*arguments, **named)

    monkeypatch.setattr(step, "append_range", beside_another)
    with pytest.raises(LostRaceError):
        ingest(spark, problem, "slow")
    assert keys(problem) == ["k0", "k1", "k2"]
    assert branches(problem) == []


def test_an_attempt_that_dies_leaves_nothing_behind(
    spark: SparkSession, problem: Problem, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.send(*rows("k", 3))
    with monkeypatch.context() as patched:
        patched.setattr(lake, "publish", lambda _branch: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            ingest(spark, problem, "first")
    assert bronze(problem) == []
    assert recorded_offsets(names.bronze_changes(problem.source_name)) == {}
    assert ingest(spark, problem, "second")["messages"] == 3


def test_messages_that_are_gone_are_an_error_that_names_both_offsets(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    sender.send(*rows("k", 3))
    ingest(spark, problem, "first")
    sender.send(*rows("k", 3, first=3))
    delete_messages_before(sender.topic, 6)
    with pytest.raises(MillraceError, match="gone from the topic") as error:
        ingest(spark, problem, "second")
    assert (error.value.found, error.value.expected[:8]) == ("earliest offset 6", "offset 4")
    assert f"millrace resnapshot {problem.problem}" in error.value.fix
    assert branches(problem) == []


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    sender.send(*rows("k", 3))
    ingest(spark, problem, "first")
    made_anew(sender.topic)
    with pytest.raises(MillraceError, match="another one than bronze took in"):
        ingest(spark, problem, "second")
    # Given up, the new topic is read from its beginning, with offsets that bronze has already, of other messages.
    assert give_up_offsets(problem)
    Sender(problem).send(*rows("new", 2))
    assert ingest(spark, problem, "third")["messages"] == 2
    assert {"k0", "new0", "new1"} <= {*keys(problem)}
    assert give_up_offsets(problem) == ()


def test_another_table_is_read_from_its_first_row_on_and_the_old_one_from_where_it_was(
    spark: SparkSession, problem: Problem, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    """The contract's `changes.table` names another one, and later the first one again."""
    sender.send(*rows("old", 3))
    ingest(spark, problem, "first")
    other = with_changes(problem, {"rows": 5, "seconds": 3600, "table": "public.renamed"})
    with own_topic(other) as others, caplog.at_level(logging.WARNING, "millrace"):
        others.send(*rows("new", 5))
        assert "messages wait" in str(pending_ingest_changes(other))
        assert ingest(spark, other, "second")["messages"] == 5
        assert f"not taken in is what waits in {sender.topic}" in caplog.text
        sender.send(*rows("late", 2))
        assert ingest(spark, problem, "third")["messages"] == 2
        others.send(*rows("newer", 1))
        assert ingest(spark, other, "fourth")["messages"] == 1
    assert sorted(keys(problem)) == ["late0", "late1", *(f"new{n}" for n in range(5)), "newer0", "old0", "old1", "old2"]


def test_a_row_that_a_snapshot_read_again_has_the_position_up_to_which_the_log_was_committed(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    """As Debezium sends it: without one of its own. A change written before it and committed after has an earlier."""
    read, late = rows("k", 2)
    for message, lsn, sequence in ((read, None, '["500", "490"]'), (late, 100, '["600", "590"]')):
        value = json.loads(message["value"])
        value["source"] |= {"lsn": lsn, "sequence": sequence}
        message["value"] = json.dumps(value | ({"op": "r"} if lsn is None else {})).encode()
    sender.send(read, late)
    assert ingest(spark, problem, "first")["malformed"] == {}
    assert [(row["operation"], row["lsn"]) for row in bronze(problem)] == [("r", 500), ("c", 600)]


ROW = {"id": "k1", "seen_at": "2026-01-01T00:00:00Z", "size": 1.5, "note": None, "phone": "1", "sold": 1}


def without(name: str) -> dict[str, Any]:
    return {column: value for column, value in ROW.items() if column != name}


def test_a_column_that_left_the_table_stops_the_source_until_a_newer_row_has_it(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    sender.send(change("c", after=ROW))
    ingest(spark, problem, "first")
    sender.send(change("c", after=without("size")), change("d", before=without("size")))
    before = lake.head(names.bronze_changes(problem.source_name))
    with pytest.raises(VerdictError, match="lacks a column of the contract: size") as error:
        ingest(spark, problem, "second")
    assert "size (number)" in error.value.expected
    assert f"millrace resnapshot {problem.problem}" in error.value.fix
    assert lake.head(names.bronze_changes(problem.source_name)) == before
    assert branches(problem) == []
    # Put back. The row without it still waits, and so does another one that wrote nothing into it.
    sender.send(change("u", before=ROW, after=ROW | {"size": None}), change("u", before=ROW, after=ROW))
    assert ingest(spark, problem, "third")["messages"] == 4
    assert len(bronze(problem)) == 5


@pytest.mark.parametrize("problem", [{"max_rows": 10}], indirect=True)
def test_a_backlog_of_more_than_one_run_from_before_the_column_was_put_back_is_worked_off(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    sender.send(*(change("u", before=ROW, after=without("size")) for _ in range(15)))
    with pytest.raises(VerdictError, match="lacks a column of the contract: size"):
        ingest(spark, problem, "first")
    broken = {"key": b"{}", "value": b"[1", "headers": []}
    sender.send(
        change("u", before=ROW, after=ROW), change("d", before=ROW), change("d", before=ROW) | {"value": None}, broken
    )
    assert [ingest(spark, problem, f"run-{n}")["left"] for n in range(3)] == [11, 1, 0]
    assert len(bronze(problem)) == 19


def test_a_column_that_the_contract_got_does_not_stop_what_waits_from_before(
    spark: SparkSession, problem: Problem, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    """A nullable one is told, and so is one that the contract does not know."""
    sender.send(change("c", after=without("note") | {"colour": "red"}))
    with caplog.at_level(logging.WARNING, "millrace"):
        assert ingest(spark, problem, "first")["messages"] == 1
    assert "the contract does not know, kept in the messages: colour" in caplog.text
    assert "have no value there: note" in caplog.text
    # A required one is in the newest row, as the table has it by now.
    sender.send(change("c", after=without("size")), change("c", after=ROW))
    assert ingest(spark, problem, "second")["messages"] == 2


@pytest.mark.parametrize(("name", "retyped"), [("size", "large"), ("sold", True), ("phone", 5), ("seen_at", 1_796_000)])
def test_a_column_of_another_type_stops_the_source_until_a_newer_row_has_its_own(
    spark: SparkSession, problem: Problem, sender: Sender, name: str, retyped: object
) -> None:
    sender.send(change("c", after=ROW), change("u", before=ROW, after=ROW | {name: retyped}))
    # Without a value, a row tells nothing of a type.
    sender.send(change("u", before=ROW, after=ROW | {name: None}))
    with pytest.raises(VerdictError, match=f"not of the contract's type: {name}") as error:
        ingest(spark, problem, "first")
    assert problem.source.columns[name].type in error.value.expected
    assert f"{name} is " in error.value.found
    assert bronze(problem) == []
    sender.send(change("u", before=ROW, after=ROW))
    assert ingest(spark, problem, "second")["messages"] == 4


def test_a_topic_that_is_not_there_is_named(spark: SparkSession, problem: Problem) -> None:
    with pytest.raises(MillraceError, match=f"There is no topic {problem.change_topic}"):
        ingest(spark, problem, "first")
