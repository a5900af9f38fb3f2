"""What producers send: topic to bronze to silver, each message once, whatever it says and whoever comes second."""

import json
import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import LostRaceError, VerdictError
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.domain.change_offsets import BrokenOffsetsError
from millrace.settings import ROOT
from millrace.simulation.producing import Producers
from millrace.steps import ingest_changes as step
from millrace.steps.change_backlog import waiting_messages
from millrace.steps.changes_table import recorded_offsets
from millrace.steps.give_up_offsets import give_up, to_give_up
from millrace.steps.ingest_changes import ingest_changes
from millrace.steps.pending import pending_ingest_changes, pending_transform
from millrace.steps.replay_quarantine import replay_quarantine
from tests.steps.transforming import (
    COLUMNS,
    gold,
    ingest,
    problem_named,
    quarantine,
    removed_afterwards,
    silver,
    to_gold,
    to_silver,
    with_changes,
    with_topic,
)
from tests.topics import Sender, change, delete_messages_before, made_anew, own_topic, produced

pytestmark = pytest.mark.stack

TOLD = {"rows": 5, "seconds": 3600, "max_rows": 1000}
KEY_1, KEY_2, KEY_3 = '["k1"]', '["k2"]', '["k3"]'


@pytest.fixture
def problem(request: pytest.FixtureRequest) -> Iterator[Problem]:
    """Sales that producers tell of; not in a problem file, so that nobody else makes its topic."""
    mark = uuid.uuid4().hex[:8]
    told = TOLD | {"name": f"sales.of_{mark}"} | getattr(request, "param", {})
    # All rows may go at once.
    plain = problem_named(mark, quality={"min_rows": 0, "max_row_count_drop": 1.0})
    with removed_afterwards(with_topic(plain, told)) as made:
        yield made


@pytest.fixture
def sender(problem: Problem) -> Iterator[Sender]:
    with own_topic(problem, topic_of(problem)) as sender:
        yield sender


def topic_of(problem: Problem) -> str:
    assert problem.source.topic is not None
    return problem.source.topic.name


def row(key: str, **told: Any) -> dict[str, Any]:
    return {"id": key, "seen_at": "2026-01-01T00:00:00Z", "size": 5.5, "note": "x", "phone": "1", "sold": None} | told


def take_in(spark: SparkSession, problem: Problem, attempt: str | None = None) -> dict[str, Any]:
    attempt = attempt or uuid.uuid4().hex[:8]
    return ingest_changes(spark, problem, attempt=attempt, run_id=attempt)


def bronze(problem: Problem) -> list[dict[str, Any]]:
    found = lake.read(names.bronze_changes(problem.source_name)).to_pylist()
    return sorted(found, key=lambda one: (one["topic"], one["partition"], one["offset"]))


def branches(problem: Problem) -> list[str]:
    return lake.stray_branches(names.bronze_changes(problem.source_name), older_than_seconds=-1)


def test_rows_and_what_is_none_come_once_with_their_bytes(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    values = [row("k1"), b"\xff", b"[1]", None, row("k2", size=500), row("k3", seen_at=None)]
    sender.send(*map(produced, values))
    assert waiting_messages(problem) == 7, "and the end of a transaction"
    told = take_in(spark, problem)
    assert (told["messages"], told["left"], told["committed_until"]) == (6, 0, None)
    assert told["malformed"] == {"value: not UTF-8": 1, "value: not JSON of an object": 1, "value: missing": 1}
    found = bronze(problem)
    assert [one["value"] for one in found] == [produced(value)["value"] for value in values]
    assert {(one["operation"], one["epoch"], one["lsn"]) for one in found} == {("json", None, None)}
    assert branches(problem) == []
    before = lake.head(names.bronze_changes(problem.source_name))
    assert take_in(spark, problem)["messages"] == 0
    assert lake.head(names.bronze_changes(problem.source_name)) == before

    to_gold(spark, problem)
    assert set(gold(problem)) == {KEY_1}
    one = silver(problem)[KEY_1]
    assert (one["size"], one["source_file"], one["newest_change"]) == (5.5, f"{topic_of(problem)}-0", None)
    assert [(each["row_number"], each["reasons"], each["raw"]) for each in quarantine(problem)] == [
        (1, ["message:malformed"], "base64:/w=="),
        (2, ["message:malformed"], "[1]"),
        (3, ["message:malformed"], None),
        (4, ["range:size"], None),
        (5, ["required:seen_at"], None),
    ]
    assert quarantine(problem)[3]["fields"] is not None
    assert pending_transform(problem) is None or "not in silver" not in str(pending_transform(problem))
    # Whatever a replay finds, it is in quarantine still.
    assert replay_quarantine(spark, problem, attempt="replay", run_id="replay")["released"] == 0


def test_a_later_message_of_a_key_counts_as_a_later_file_would(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    ingest(problem, "a", "k1,2026-01-01,1,file,1,", "k2,2026-01-01,1,file,1,")
    sender.send(produced(row("k1", size=2, note="message", sold=1)), produced(row("k3", note="first")))
    take_in(spark, problem)
    to_gold(spark, problem, "one")
    sender.send(produced(row("k3", note="second", size=9)), produced(row("k3", size=-1)))
    take_in(spark, problem)
    to_gold(spark, problem, "two")
    rows = gold(problem)
    assert (rows[KEY_1]["size"], rows[KEY_1]["note"], rows[KEY_1]["label"]) == (1, "message", 1)
    assert (rows[KEY_2]["note"], rows[KEY_3]["note"], rows[KEY_3]["size"]) == ("file", "second", 5.5)
    assert silver(problem)[KEY_3]["stale_since"] is not None


@pytest.mark.parametrize("problem", [{"format": "json_envelope"}], indirect=True)
def test_of_an_envelope_the_payload_counts_and_what_nobody_declared_is_told(
    spark: SparkSession, problem: Problem, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    schema = {"type": "struct", "fields": [{"type": "string", "optional": False, "field": "id"}]}
    sender.send(
        produced({"schema": schema, "payload": row("k1", colour="red", note={"deep": 1})}),
        produced({"payload": row("k2")}),
        produced(row("k3")),
    )
    with caplog.at_level(logging.WARNING, "millrace"):
        told = take_in(spark, problem)
    assert told["malformed"] == {"value: not JSON with an object as payload": 1}
    assert "the contract does not know, kept there: colour (1)" in caplog.text
    assert "a plain value belongs: note (1)" in caplog.text
    to_gold(spark, problem)
    assert set(gold(problem)) == {KEY_1, KEY_2}
    assert json.loads(bronze(problem)[0]["value"])["payload"]["colour"] == "red"


@pytest.mark.parametrize("problem", [{"max_rows": 10}], indirect=True)
def test_a_run_takes_no_more_than_it_may_and_an_aborted_message_never_comes(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    sender.begin(produced(row("aborted")))
    sender.abort()
    for first in range(0, 16, 4):
        sender.send(*(produced(row(f"k{n}")) for n in range(first, first + 4)))
    assert "messages wait in topic" in str(pending_ingest_changes(problem))
    assert [take_in(spark, problem)["left"] for _ in range(3)] == [12, 2, 0]
    assert [json.loads(one["value"])["id"] for one in bronze(problem)] == [f"k{n}" for n in range(16)]
    assert pending_ingest_changes(problem) is None


def test_the_second_of_two_attempts_is_refused_and_one_that_dies_leaves_nothing(
    spark: SparkSession, problem: Problem, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.send(*(produced(row(f"k{n}")) for n in range(3)))
    with monkeypatch.context() as patched:
        patched.setattr(lake, "publish", lambda _branch: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            take_in(spark, problem)
    assert (bronze(problem), recorded_offsets(names.bronze_changes(problem.source_name))) == ([], {})
    write = step.append_range

    def beside_another(*arguments: Any, **named: Any) -> None:
        monkeypatch.setattr(step, "append_range", write)
        assert take_in(spark, problem)["messages"] == 3
        write(*arguments, **named)

    monkeypatch.setattr(step, "append_range", beside_another)
    with pytest.raises(LostRaceError):
        take_in(spark, problem)
    assert len(bronze(problem)) == 3
    assert branches(problem) == []


@pytest.fixture
def both(problem: Problem) -> Problem:
    """The same sales, whose table is followed besides."""
    assert problem.source.topic is not None
    told = problem.source.topic.model_dump(exclude_defaults=True)
    return with_topic(with_changes(problem, TOLD), told)


def test_a_topic_and_a_table_make_one_silver_and_a_message_says_nothing_of_a_row_that_the_table_has(
    spark: SparkSession, both: Problem, sender: Sender
) -> None:
    with own_topic(both) as table:
        sender.send(produced(row("k1", note="early")), produced(row("k2", note="message")))
        table.send(change("c", after=row("k1", note="table"), lsn=10), change("c", after=row("k3"), lsn=11))
        told = take_in(spark, both)
        assert (told["messages"], told["left"]) == (4, 0)
        offsets = recorded_offsets(names.bronze_changes(both.source_name))
        assert {name: one.offsets for name, one in offsets.items()} == {
            topic_of(both): {0: 3},
            str(both.change_topic): {0: 3},
        }
        to_gold(spark, both, "one")
        assert {key: one["note"] for key, one in gold(both).items()} == {KEY_1: "table", KEY_2: "message", KEY_3: "x"}
        # Deleted in the table, it stays so, whatever producers say of it.
        table.send(change("d", before=row("k3"), lsn=12))
        sender.send(produced(row("k3", note="back")), produced(row("k1", note="late")))
        assert take_in(spark, both)["messages"] == 3
        to_gold(spark, both, "two")
        assert {key: one["note"] for key, one in gold(both).items()} == {KEY_1: "table", KEY_2: "message"}


def test_a_table_that_stops_keeps_no_producer_waiting(spark: SparkSession, both: Problem, sender: Sender) -> None:
    with own_topic(both) as table:
        table.send(change("t", lsn=12))
        sender.send(produced(row("k1")))
        with pytest.raises(VerdictError, match="emptied by TRUNCATE"):
            take_in(spark, both)
        assert [one["operation"] for one in bronze(both)] == ["json"]
        # The table's topic is made anew: nobody can tell what follows. What producers send still comes.
        table.send(change("c", after=row("k3"), lsn=13))
        allowed = with_topic(with_changes(both, {**TOLD, "allow_truncate": True}), TOLD | {"name": topic_of(both)})
        take_in(spark, allowed)
        made_anew(table.topic)
        sender.send(*(produced(row(f"k{n}")) for n in range(5)))
        assert waiting_messages(both) == 6
        why = str(pending_ingest_changes(both))
        assert "another one than bronze took in" in why
        assert f"messages wait in topic {sender.topic}" in why
        with pytest.raises(BrokenOffsetsError, match=f"topic of {both.problem}'s changes is another one"):
            take_in(spark, both)
        assert sum(one["operation"] == "json" for one in bronze(both)) == 6
        with pytest.raises(BrokenOffsetsError):
            waiting_messages(both)


def test_what_is_gone_before_the_first_run_is_not_missed_and_later_it_is_until_a_person_gives_it_up(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    topic = topic_of(problem)
    sender.send(*(produced(row(f"old{n}")) for n in range(3)))
    delete_messages_before(topic, 2)
    assert take_in(spark, problem)["messages"] == 1
    sender.send(*(produced(row(f"new{n}")) for n in range(3)))
    delete_messages_before(topic, 6)
    with pytest.raises(BrokenOffsetsError, match="are gone from the topic that bronze has not") as error:
        take_in(spark, problem)
    assert (error.value.found, error.value.expected[:8]) == ("earliest offset 6", "offset 4")
    assert f"millrace resume {problem.problem}" in error.value.fix
    assert to_give_up(problem, topic) == ("partition 0: offsets 4 up to before 6, which are gone",)
    assert give_up(problem, topic) == to_give_up(problem, topic) or to_give_up(problem, topic) == ()
    assert give_up(problem, topic) == ()
    assert take_in(spark, problem)["messages"] == 1
    assert [json.loads(one["value"])["id"] for one in bronze(problem)] == ["old2", "new2"]

    made_anew(topic)
    with pytest.raises(BrokenOffsetsError, match="producers is another one than bronze took in"):
        take_in(spark, problem)
    assert give_up(problem, topic)
    Sender(problem, topic).send(produced(row("k1")), produced(row("k2")))
    assert take_in(spark, problem)["messages"] == 2
    to_gold(spark, problem)
    assert set(gold(problem)) == {'["old2"]', '["new2"]', KEY_1, KEY_2}


@pytest.fixture
def events() -> Iterator[Problem]:
    """Rows that have neither key nor time of their own; the first of a key stays."""
    mark = uuid.uuid4().hex[:8]
    plain = problem_named(mark).model_dump(exclude_defaults=True)
    [source] = plain["sources"].values()
    source |= {"mode": "append", "assigned_key": "row_content", "assigned_time": "file_modified"}
    del source["primary_key"], source["event_timestamp"]
    source["columns"] = {name: told for name, told in COLUMNS.items() if name != "seen_at"}
    with removed_afterwards(with_topic(Problem.model_validate(plain), TOLD | {"name": f"events.of_{mark}"})) as made:
        yield made


def test_the_same_content_is_one_row_however_often_it_is_sent_and_also_where_a_file_brings_it(
    spark: SparkSession, events: Problem
) -> None:
    topic = topic_of(events)
    content = {"id": "k1", "size": "5.5", "note": "x", "phone": "1", "sold": "1"}
    with own_topic(events, topic) as sender:
        sender.send(
            produced(content),
            produced({**dict(reversed(content.items())), "size": 5.5}),
            produced(content | {"id": "k2"}),
        )
        take_in(spark, events, "first")
        to_gold(spark, events, "one")
        first = silver(events)
        assert sorted(one["id"] for one in first.values()) == ["k1", "k2"]
        sent = bronze(events)[0]["sent_at"]
        assert {one["event_timestamp"] for one in first.values() if one["id"] == "k1"} == {sent}
        assert sent <= datetime.now(UTC)
        sender.send(produced(content))
        take_in(spark, events, "second")
        ingest(events, "a", "k1,5.5,x,1,1", "k3,5.5,x,1,1", header="id,size,note,phone,sold")
        to_gold(spark, events, "two")
        after = silver(events)
        told = ("event_timestamp", "size", "source_file", "first_position", "changed_seq")
        assert [[after[key][name] for name in told] for key in first] == [
            [one[name] for name in told] for one in first.values()
        ]
        assert sorted(one["id"] for one in after.values()) == ["k1", "k2", "k3"]


@pytest.fixture(params=["json", "json_envelope"])
def shop(request: pytest.FixtureRequest) -> Iterator[Problem]:
    """The problem of the shop's events, under names of its own."""
    mark = uuid.uuid4().hex[:8]
    purchase = load_problem(ROOT / "include" / "problems" / "purchase.yaml")
    own = purchase.model_copy(update={"problem": f"t_{mark}", "sources": {f"t_{mark}_rows": purchase.source}})
    with removed_afterwards(with_topic(own, TOLD | {"name": f"shop.of_{mark}", "format": request.param})) as made:
        yield made


def test_silver_holds_what_simulated_producers_sent(
    spark: SparkSession, shop: Problem, problem: Problem, sender: Sender
) -> None:
    with own_topic(shop, topic_of(shop)):
        for each, rows in ((shop, 400), (problem, 150)):
            producers = Producers(each, seed=7, broken_share=0.15)
            producers.send(rate=10_000, until=lambda sent=producers.sent, rows=rows: sent.total() >= rows)
            assert producers.differences() == [f"there is no table {names.silver(each.source_name)}"]
            told = take_in(spark, each)
            to_silver(spark, each)
            assert producers.differences() == []
            assert (told["messages"], sum(told["malformed"].values())) == (rows, producers.sent["unreadable"])
            assert len(quarantine(each)) == producers.sent["broken"] + producers.sent["unreadable"]
            assert {*producers.sent} == {"valid", "broken", "unreadable", "again"}
            assert len(silver(each)) == len(producers.valid)
            # What is sent again as a whole changes nothing.
            twice = Producers(each, seed=7, broken_share=0.0, first_row=0)
            twice.send(rate=10_000, until=lambda sent=twice.sent: sent.total() >= 50)
            take_in(spark, each)
            to_silver(spark, each, "again")
            held = silver(each)
            same = Producers(each, seed=7, broken_share=0.0, first_row=0)
            same.send(rate=10_000, until=lambda sent=same.sent: sent.total() >= 50)
            take_in(spark, each)
            to_silver(spark, each, "and again")
            assert silver(each).keys() == held.keys()
            assert same.differences() == twice.differences() == []
