"""Topic to gold: what an application did to its table, silver, gold and the warehouse hold, and nothing twice."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake, warehouse
from millrace.contract import names
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.contract.source_epoch import SourceEpoch
from millrace.steps.decide_batch import decide
from millrace.steps.ingest_changes import ingest_changes
from millrace.steps.load_warehouse import load_warehouse
from millrace.steps.pending import pending_transform
from millrace.steps.plan_contract import plan_contract
from millrace.steps.rebuild_as_of import rebuild_as_of
from millrace.steps.recorded import RECEIPT
from millrace.steps.refused_batches import refused_batches
from millrace.steps.replay_quarantine import replay_quarantine
from tests.steps.transforming import (
    gold,
    ingest,
    problem_named,
    quarantine,
    removed_afterwards,
    silver,
    to_gold,
    to_silver,
    with_changes,
)
from tests.topics import EPOCH, Sender, change, own_topic

pytestmark = pytest.mark.stack

FOLLOWED = {"rows": 5, "seconds": 3600, "max_rows": 1000}
KEY_1, KEY_2, KEY_3 = '["k1"]', '["k2"]', '["k3"]'


@pytest.fixture
def problem() -> Iterator[Problem]:
    # All rows of a table may go at once.
    plain = problem_named(uuid.uuid4().hex[:8], quality={"min_rows": 0, "max_row_count_drop": 1.0})
    with removed_afterwards(with_changes(plain, FOLLOWED)) as problem:
        yield problem


@pytest.fixture
def sender(problem: Problem) -> Iterator[Sender]:
    with own_topic(problem) as sender:
        yield sender


def row(key: str, **told: Any) -> dict[str, Any]:
    """A row of the table as Debezium tells it."""
    return {"id": key, "seen_at": "2026-01-01T00:00:00Z", "size": 5.5, "note": "x", "phone": "1", "sold": None} | told


def bring(spark: SparkSession, problem: Problem, sender: Sender, *messages: dict[str, Any]) -> str:
    """The messages are in bronze afterwards; returns the name of the attempt."""
    sender.send(*messages)
    attempt = uuid.uuid4().hex[:8]
    ingest_changes(spark, problem, attempt=attempt, run_id=attempt)
    return attempt


def living(problem: Problem) -> dict[str, dict[str, Any]]:
    return {key: row for key, row in silver(problem).items() if not row["deleted"]}


def test_inserts_updates_deletes_and_key_changes_reach_gold_and_the_warehouse(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    run = bring(
        spark,
        problem,
        sender,
        change("c", after=row("k1"), lsn=10),
        change("c", after=row("k2"), lsn=10),
        change("c", after=row("k3", size=7), lsn=11),
        change("u", before=row("k1"), after=row("k1", size=50, note="y", sold=1), lsn=12),
    )
    changes = names.bronze_changes(problem.source_name)
    assert pending_transform(problem) == f"4 messages of {changes} are not in silver"
    to_gold(spark, problem, run)
    rows = gold(problem)
    assert set(rows) == {KEY_1, KEY_2, KEY_3}
    first = rows[KEY_1]
    assert (first["size"], first["note"], first["label"]) == (5.5, "y", 1), "a late label brings no late feature"
    load_warehouse(problem)

    gone = change("d", before=row("k2"), lsn=13)
    # The application calls k3 otherwise: Debezium tells of a delete and an insert.
    run = bring(
        spark,
        problem,
        sender,
        gone,
        {**gone, "value": None},
        change("d", before=row("k3", size=7), lsn=14),
        change("c", after=row("k9", size=7), lsn=14),
    )
    to_gold(spark, problem, run)
    assert set(gold(problem)) == {KEY_1, '["k9"]'}
    told = load_warehouse(problem)
    assert (told["deleted"], told["rows"]) == (2, 2)
    with warehouse.connect() as connection:
        assert warehouse.count(connection, problem.problem) == 2
    tombstone = silver(problem)[KEY_2]
    assert (tombstone["deleted"], tombstone["phone"], tombstone["size"]) == (True, None, None)
    assert pending_transform(problem) is None

    written = lake.newest_with(names.gold(problem.problem), RECEIPT)
    assert written is not None
    receipt = json.loads(written.properties[RECEIPT])
    assert receipt["offsets"]["offsets"] == {"0": 10}, "eight messages, and the markers of two transactions"


def test_the_dead_stay_dead_whatever_comes_again(spark: SparkSession, problem: Problem, sender: Sender) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,1,1", "k2,2026-01-01,500,x,1,1")
    to_gold(spark, problem, "files")
    assert set(gold(problem)) == {KEY_1}
    inserted = change("c", after=row("k3"), lsn=10)
    messages = [change("d", before=row(key), lsn=20 + n) for n, key in enumerate(("k1", "k2", "k3"))]
    to_gold(spark, problem, bring(spark, problem, sender, inserted, *messages))
    assert living(problem) == {}
    assert set(silver(problem)) == {KEY_1, KEY_2, KEY_3}

    # The file lands again, the insert is sent again, and what was quarantined is judged again.
    ingest(problem, "b", "k1,2026-01-01,6,y,1,1", "k2,2026-01-01,6,y,1,1")
    to_gold(spark, problem, bring(spark, problem, sender, inserted))
    replay_quarantine(spark, problem, attempt="replay", run_id="replay")
    assert living(problem) == {}
    assert gold(problem) == {}

    # Inserted anew, it is another row: nothing of the one that was deleted comes with it.
    to_gold(spark, problem, bring(spark, problem, sender, change("c", after=row("k1", size=9, note=None), lsn=40)))
    again = gold(problem)[KEY_1]
    assert (again["size"], again["note"], again["label"]) == (9, None, None)


def test_a_file_is_history_until_the_table_is_followed_and_says_nothing_of_its_rows_afterwards(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,file,1,", "k2,2026-01-01,5,file,1,")
    to_gold(spark, problem, "files")
    later = SourceEpoch(int(datetime.now(UTC).timestamp()) + 60, 1, 1)
    read = {"epoch": later, "snapshot": "last"}
    to_gold(spark, problem, bring(spark, problem, sender, change("r", after=row("k1", size=8, sold=0), lsn=1, **read)))
    one = gold(problem)[KEY_1]
    assert (one["size"], one["note"], one["label"]) == (5, "x", 0), "what froze in the file stays; the rest follows"

    # As if it landed an hour later: the first epoch is that of now.
    early = SourceEpoch(EPOCH.since - 10 * 365 * 24 * 3600, 1, 1)
    to_gold(spark, problem, bring(spark, problem, sender, change("u", after=row("k1"), lsn=2, epoch=early)))
    ingest(problem, "b", "k1,2026-01-01,99,late,1,1", "k4,2026-01-01,5,late,1,1")
    to_gold(spark, problem, "late")
    assert gold(problem)[KEY_1]["note"] == "x"
    assert gold(problem)[KEY_1]["label"] == 0
    assert gold(problem)['["k4"]']["note"] == "late", "of a row that no change tells of, a file still does"


def test_an_insert_that_comes_late_is_merged_as_if_it_had_come_in_time(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    """A topic that was read out of order: silver has forgotten what it would need, and is built again."""
    ingest(problem, "a", "k2,2026-01-01,5,file,1,")
    run = bring(
        spark,
        problem,
        sender,
        change("r", after=row("k1", size=1), lsn=10),
        change("u", after=row("k1", size=3), lsn=30),
    )
    to_gold(spark, problem, run)
    assert gold(problem)[KEY_1]["size"] == 1
    to_gold(spark, problem, bring(spark, problem, sender, change("c", after=row("k1", size=2), lsn=20)))
    assert gold(problem)[KEY_1]["size"] == 2
    assert gold(problem)[KEY_2]["size"] == 5


def test_broken_rows_and_messages_are_quarantined_and_the_others_go_on(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    unreadable = {"key": b"{}", "value": b"\xff not json", "headers": []}
    run = bring(
        spark,
        problem,
        sender,
        change("c", after=row("k1"), lsn=10),
        change("u", after=row("k1", size=500, sold=1), lsn=11),
        change("c", after=row("k2", phone="none", size=-1), lsn=12),
        unreadable,
    )
    to_gold(spark, problem, run)
    assert set(gold(problem)) == {KEY_1}
    stale = silver(problem)[KEY_1]
    assert (stale["size"], stale["sold"]) == (5.5, None)
    assert stale["stale_since"] == datetime.fromtimestamp(1_796_000_000.000011, UTC)
    found = sorted(quarantine(problem), key=lambda one: one["row_number"])
    assert [(one["row_number"], one["row_key"], one["reasons"]) for one in found] == [
        (1, KEY_1, ["range:size"]),
        (2, KEY_2, ["range:size", "pattern:phone"]),
        (3, None, ["message:malformed"]),
    ]
    assert found[2]["raw"] == "base64:/yBub3QganNvbg=="
    assert {one["path"] for one in found} == {f"{problem.change_topic}-0"}


def test_a_truncate_stops_until_it_is_allowed_and_then_ends_every_row_that_the_table_held(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    ingest(problem, "a", "k2,2026-01-01,5,file,1,")
    to_gold(spark, problem, bring(spark, problem, sender, change("c", after=row("k1"), lsn=10)))
    with pytest.raises(VerdictError, match="emptied by TRUNCATE"):
        bring(spark, problem, sender, change("t", lsn=11), change("c", after=row("k3"), lsn=12))
    to_gold(spark, problem, "stopped")
    assert set(gold(problem)) == {KEY_1, KEY_2}
    allowed = with_changes(problem, {**FOLLOWED, "allow_truncate": True})
    to_gold(spark, allowed, bring(spark, allowed, sender))
    assert set(gold(problem)) == {KEY_2, KEY_3}
    to_gold(spark, problem, bring(spark, problem, sender, change("c", after=row("k1", size=9), lsn=13)))
    assert gold(problem)[KEY_1]["size"] == 9


def test_a_restored_database_gives_up_what_its_backup_lacks(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    later = SourceEpoch(EPOCH.since + 1000, 8, 1)
    inserted = [change("c", after=row(key, size=1), lsn=900 + n) for n, key in enumerate(("k1", "k2"))]
    to_gold(spark, problem, bring(spark, problem, sender, *inserted))
    # Its log positions begin anew, and its rows come as a snapshot.
    read = [change("r", after=row("k1", size=2, sold=1), lsn=5, epoch=later, snapshot="first")]
    to_gold(spark, problem, bring(spark, problem, sender, *read))
    assert set(gold(problem)) == {KEY_1, KEY_2}, "the snapshot is not at its end"
    read = [change("r", after=row("k3", size=3), lsn=5, epoch=later, snapshot="last")]
    to_gold(spark, problem, bring(spark, problem, sender, *read))
    rows = gold(problem)
    assert set(rows) == {KEY_1, KEY_3}
    assert (rows[KEY_1]["size"], rows[KEY_1]["label"]) == (1, 1)


def test_tombstones_alone_change_nothing_and_are_not_read_again(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    inserted = change("c", after=row("k1"), lsn=10)
    to_gold(spark, problem, bring(spark, problem, sender, inserted))
    before = silver(problem)
    run = bring(spark, problem, sender, {**inserted, "value": None})
    assert to_silver(spark, problem, run)["branch"] is None
    assert silver(problem) == before
    assert "is not in silver" not in (pending_transform(problem) or "")
    assert "are not in silver" not in (pending_transform(problem) or "")


def test_what_was_known_at_a_time_and_what_a_contract_would_change_tell_of_changes_too(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    to_gold(spark, problem, bring(spark, problem, sender, change("c", after=row("k1"), lsn=10)))
    then = datetime.now(UTC)
    run = bring(
        spark, problem, sender, change("d", before=row("k1"), lsn=11), change("c", after=row("k2", size=70), lsn=12)
    )
    to_gold(spark, problem, run)
    built = rebuild_as_of(spark, problem, then)
    found = lake.read(built["table"], snapshot_id=built["snapshot_id"]).to_pylist()
    assert [one["row_key"] for one in found] == [KEY_1]
    assert set(gold(problem)) == {KEY_2}

    stricter = problem.model_dump(exclude_defaults=True)
    stricter["sources"][problem.source_name]["columns"]["size"]["max"] = 60
    rows = plan_contract(spark, Problem.model_validate(stricter)).rows
    assert rows is not None
    assert (rows.read, rows.compared.entering, rows.silver_before, rows.silver_after) == (3, 1, 1, 0)


def test_a_refused_purge_can_be_accepted_though_changes_go_on_coming(
    spark: SparkSession, sender: Sender, problem: Problem
) -> None:
    content = problem.model_dump(exclude_defaults=True)
    content["sources"][problem.source_name]["quality"] |= {"max_row_count_drop": 0.1}
    strict = with_changes(Problem.model_validate(content), FOLLOWED)
    to_gold(spark, strict, bring(spark, strict, sender, *(change("c", after=row(f"k{n}"), lsn=n) for n in range(9))))
    purge = [change("d", before=row(f"k{n}"), lsn=20 + n) for n in range(5)]
    with pytest.raises(VerdictError, match="max_row_count_drop"):
        to_gold(spark, strict, bring(spark, strict, sender, *purge))
    [batch] = refused_batches(strict)
    # More comes, and for a while it is not judged again: each time it would be another batch.
    to_gold(spark, strict, bring(spark, strict, sender, change("c", after=row("k9"), lsn=30)))
    assert (len(gold(strict)), refused_batches(strict)) == (9, [batch])
    impatient = with_changes(strict, {**FOLLOWED, "retry_seconds": 0.001})
    with pytest.raises(VerdictError, match="max_row_count_drop"):
        to_gold(spark, impatient, "again")
    assert len(refused_batches(strict)) == 2

    decide(strict, batch.batch, "accepted", actor="tests", reason="a purge")
    to_gold(spark, strict, "accepted")
    assert set(gold(strict)) == {f'["k{n}"]' for n in range(5, 9)}
    to_gold(spark, strict, "the rest")
    assert set(gold(strict)) == {f'["k{n}"]' for n in range(5, 10)}


def test_a_silver_of_an_earlier_version_is_built_anew_and_until_then_nothing_else_is_built_of_it(
    spark: SparkSession, problem: Problem, sender: Sender
) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,file,1,1")
    to_gold(spark, problem, bring(spark, problem, sender, change("c", after=row("k2"), lsn=10)))
    table = names.silver(problem.source_name)
    spark.sql(f"ALTER TABLE {table} DROP COLUMN newest_change")
    spark.table(table).limit(0).writeTo(table).append()  # a commit without that column, as an earlier version's
    assert "gives silver other columns" in (pending_transform(problem) or "")
    with pytest.raises(VerdictError, match="other columns"):
        replay_quarantine(spark, problem, attempt="replay", run_id="replay")
    with pytest.raises(VerdictError, match="other columns"):
        rebuild_as_of(spark, problem, datetime.now(UTC))
    to_gold(spark, problem, "new version")
    assert silver(problem)[KEY_2]["newest_change"] is not None
    assert set(gold(problem)) == {KEY_1, KEY_2}
