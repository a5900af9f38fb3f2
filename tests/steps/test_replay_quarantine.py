"""Quarantined rows that are valid after all reach silver as if they always had been, and bring nobody back to life."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pyspark.sql import SparkSession

from expectations.verdict import Finding
from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.constraints import Constraint, InRange, source_constraints
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.contract.source import Source
from millrace.steps.ingest_changes import ingest_changes
from millrace.steps.pending import pending_transform
from millrace.steps.recorded import RECEIPT
from millrace.steps.refused_batches import refused_batches
from millrace.steps.replay_quarantine import replay_quarantine
from tests.steps.transforming import gold, ingest, own_problem, quarantine, silver, to_gold, with_changes
from tests.topics import change, own_topic

pytestmark = pytest.mark.stack
AT_MOST_ONE_ROW = Finding("rows:at_most", None, 2, "≤ 1", passed=False)


@pytest.fixture
def problem() -> Iterator[Problem]:
    with own_problem() as problem:
        yield problem


@contextmanager
def an_older_reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rows are judged more strictly than the contract says."""

    def stricter(source: Source) -> list[Constraint]:
        return [*source_constraints(source), InRange("size", None, 10)]

    with monkeypatch.context() as older:
        older.setattr("spark_jobs.transforms.quarantine.source_constraints", stricter)
        yield


def end(spark: SparkSession, problem: Problem, **row: object) -> None:
    """The application deletes a row of the table that is followed."""
    followed = with_changes(problem, {})
    with own_topic(followed) as sender:
        sender.send(change("d", before=row))
        ingest_changes(spark, followed, attempt="delete", run_id="delete")
        to_gold(spark, followed, "delete")


def test_rows_that_are_valid_now_come_in_and_the_dead_stay_dead(
    spark: SparkSession, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {f'["o{n}"]' for n in range(8)}
    with an_older_reading(monkeypatch):
        ingest(problem, "a", *(f"k{n},2026-01-01,50,old,1,1" for n in (1, 2, 3)), "k4,2026-01-01,-5,x,1,1")
        ingest(problem, "b", "k2,2026-01-01,7,new,1,1", "k3,2026-01-01,6,new,1,1")
        ingest(problem, "c", *(f"o{n},2026-01-01,7,new,1,1" for n in range(8)))
        to_gold(spark, problem, "older")
        assert set(gold(problem)) == others | {'["k2"]', '["k3"]'}
        end(spark, problem, id="k3")

    told = replay_quarantine(spark, problem, attempt="replay", run_id="replay")
    assert (told["judged"], told["released"]) == (4, 3)
    assert [row["row_key"] for row in quarantine(problem)] == ['["k4"]']
    assert "gold holds change" in (pending_transform(problem) or "")
    to_gold(spark, problem, "after")
    rows = gold(problem)
    assert set(rows) == others | {'["k1"]', '["k2"]'}
    # The first version counts for what freezes, the last for what is corrected: as if none had been refused.
    assert (rows['["k2"]']["size"], rows['["k2"]']["note"]) == (50, "new")
    assert silver(problem)['["k3"]']["deleted"]
    again = replay_quarantine(spark, problem, attempt="again", run_id="again")
    assert (again["judged"], again["released"]) == (1, 0)


def test_a_replay_that_the_check_refuses_is_no_batch_and_holds_nothing_up(
    spark: SparkSession, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with an_older_reading(monkeypatch):
        ingest(problem, "a", "k1,2026-01-01,50,old,1,1", "k2,2026-01-01,5,old,1,1")
        to_gold(spark, problem, "older")
    with monkeypatch.context() as refusing:
        refusing.setattr("millrace.steps.quality_check.whole_table", lambda *_, **__: [AT_MOST_ONE_ROW])
        with pytest.raises(VerdictError, match="check of"):
            replay_quarantine(spark, problem, attempt="refused", run_id="refused")
    assert refused_batches(problem) == []
    assert [row["row_key"] for row in quarantine(problem)] == ['["k1"]']
    ingest(problem, "b", "k3,2026-01-01,6,new,1,1")
    to_gold(spark, problem, "after")
    assert set(gold(problem)) == {'["k2"]', '["k3"]'}
    assert replay_quarantine(spark, problem, attempt="again", run_id="again")["released"] == 1


def test_a_replay_that_ended_half_way_counts_its_rows_once(
    spark: SparkSession, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with an_older_reading(monkeypatch):
        ingest(problem, "a", "k1,2026-01-01,50,old,1,1", "k2,2026-01-01,5,old,1,1")
        to_gold(spark, problem, "older")
    with monkeypatch.context() as ended:
        ended.setattr("millrace.steps.replay_quarantine.delete", ended_here)
        with pytest.raises(KeyboardInterrupt):
            replay_quarantine(spark, problem, attempt="ended", run_id="ended")
    assert [row["row_key"] for row in quarantine(problem)] == ['["k1"]']
    assert replay_quarantine(spark, problem, attempt="again", run_id="again")["released"] == 1
    assert quarantine(problem) == []
    to_gold(spark, problem, "after")
    newest = lake.newest_with(names.gold(problem.problem), RECEIPT)
    assert newest is not None
    receipt = json.loads(newest.properties[RECEIPT])
    assert set(gold(problem)) == {'["k1"]', '["k2"]'}
    told = {name: receipt[name] for name in ("rows_read", "rows_valid", "rows_quarantined")}
    assert told == {"rows_read": 0, "rows_valid": 1, "rows_quarantined": -1}


def ended_here(*_: object) -> None:
    raise KeyboardInterrupt
