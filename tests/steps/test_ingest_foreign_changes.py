"""A topic that somebody else's Debezium connector fills: its changes count as those of a table that we follow."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.domain.change_offsets import BrokenOffsetsError
from tests.steps.test_ingest_topic import TOLD, bronze, row, take_in, topic_of
from tests.steps.transforming import (
    gold,
    ingest,
    problem_named,
    quarantine,
    removed_afterwards,
    to_gold,
    with_changes,
    with_topic,
)
from tests.topics import Sender, change, delete_messages_before, own_topic

pytestmark = pytest.mark.stack
KEY_1, KEY_2, KEY_3 = '["k1"]', '["k2"]', '["k3"]'


@pytest.fixture
def problem() -> Iterator[Problem]:
    mark = uuid.uuid4().hex[:8]
    plain = problem_named(mark, quality={"min_rows": 0, "max_row_count_drop": 1.0})
    with removed_afterwards(with_topic(plain, TOLD | {"name": f"crm.of_{mark}", "format": "debezium"})) as made:
        yield made


@pytest.fixture
def sender(problem: Problem) -> Iterator[Sender]:
    with own_topic(problem, topic_of(problem)) as sender:
        yield sender


def foreign(operation: str, *, enveloped: bool = True, **told: Any) -> dict[str, Any]:
    """A change as a connector sends it that knows nothing of us: no header, and mostly with its schema."""
    message = change(operation, **told)
    value = json.loads(message["value"])
    value = {"schema": {"type": "struct", "fields": []}, "payload": value} if enveloped else value
    return {"key": message["key"], "value": json.dumps(value).encode()}


def test_changes_in_an_envelope_or_without_count_as_changes(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    ingest(problem, "a", "k1,2026-01-01,1,file,1,", "k4,2026-01-01,1,file,1,")
    inserted = foreign("c", after=row("k2"), lsn=11)
    sender.send(
        foreign("r", after=row("k1", note="read"), lsn=10, snapshot="last"),
        inserted,
        foreign("c", after=row("k3"), lsn=12, enveloped=False),
        foreign("u", before=row("k3"), after=row("k3", note="y", sold=1), lsn=13),
        foreign("d", before=row("k2"), lsn=14),
        {"key": inserted["key"], "value": None},
        {"key": b"{}", "value": b'{"payload": {"op": "c"}}'},
    )
    told = take_in(spark, problem)
    assert (told["messages"], told["malformed"]) == (7, {"value: not JSON of an envelope": 1})
    assert told["committed_until"].endswith(".000014+00:00")
    assert [(one["operation"], one["lsn"]) for one in bronze(problem)][:6] == [
        ("r", 10),
        ("c", 11),
        ("c", 12),
        ("u", 13),
        ("d", 14),
        ("tombstone", None),
    ]
    assert bronze(problem)[1]["value"] == inserted["value"], "its bytes as they came"
    to_gold(spark, problem)
    rows = gold(problem)
    assert {key: one["note"] for key, one in rows.items()} == {KEY_1: "read", KEY_3: "y", '["k4"]': "file"}
    assert rows[KEY_3]["label"] == 1
    assert [one["reasons"] for one in quarantine(problem)] == [["message:malformed"]]

    # Another key, and the insert that is sent again: the dead stay dead.
    sender.send(inserted, foreign("u", before=row("k3"), after=row("k9"), lsn=15))
    take_in(spark, problem)
    to_gold(spark, problem, "two")
    assert set(gold(problem)) == {KEY_1, '["k9"]', '["k4"]'}


def test_a_table_that_changed_or_was_emptied_stops_it_and_what_is_gone_is_given_up_by_a_person(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    lacking = {name: value for name, value in row("k1").items() if name != "size"}
    sender.send(foreign("c", after=lacking))
    with pytest.raises(VerdictError, match="lacks a column of the contract: size") as error:
        take_in(spark, problem)
    assert "a new snapshot by that connector brings every row" in error.value.fix
    sender.send(foreign("c", after=row("k1")), foreign("t", lsn=101))
    with pytest.raises(VerdictError, match="emptied by TRUNCATE") as error:
        take_in(spark, problem)
    assert "set `allow_truncate: true` in its `topic`" in error.value.fix
    allowed = with_topic(problem, {"name": topic_of(problem), "format": "debezium", "allow_truncate": True})
    take_in(spark, allowed)
    to_gold(spark, allowed)
    assert gold(allowed) == {}
    sender.send(*(foreign("c", after=row(f"k{n}"), lsn=110 + n) for n in range(3)))
    delete_messages_before(sender.topic, 7)
    with pytest.raises(BrokenOffsetsError, match="gone from the topic") as gone:
        take_in(spark, allowed)
    assert f"millrace resume {problem.problem}" in gone.value.fix


def test_what_a_later_snapshot_has_not_read_yet_stays(spark: SparkSession, problem: Problem, sender: Sender) -> None:
    sender.send(
        foreign("r", after=row("k1"), lsn=10, snapshot="true"),
        foreign("r", after=row("k2"), lsn=10, snapshot="last"),
        foreign("u", before=row("k2"), after=row("k2", note="y"), lsn=20),
    )
    take_in(spark, problem)
    to_gold(spark, problem)
    sender.send(foreign("r", after=row("k1", note="again"), lsn=90, snapshot="true"))
    take_in(spark, problem)
    to_gold(spark, problem, "two")
    assert {key: one["note"] for key, one in gold(problem).items()} == {KEY_1: "again", KEY_2: "y"}


def test_a_topic_of_others_cannot_follow_upon_changes_of_our_own(spark: SparkSession, problem: Problem) -> None:
    followed = with_changes(problem_named(problem.problem.removeprefix("t_")), TOLD)
    with own_topic(followed) as ours:
        ours.send(change("c", after=row("k1"), lsn=10))
        take_in(spark, followed)
        to_gold(spark, followed)
    with own_topic(problem, topic_of(problem)) as theirs:
        theirs.send(foreign("c", after=row("k2"), lsn=999))
        with pytest.raises(VerdictError, match="nothing would count that comes by `topic`") as error:
            take_in(spark, problem)
    assert "give the source another name" in error.value.fix
