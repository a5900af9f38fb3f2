"""Events in any order and batches, again and late: gold ends as the oracle tells, and only what they touch moves."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps.contract_in_force import apply_contract
from tests import slow_oracle
from tests.steps.transforming import gold, ingest, removed_afterwards, to_gold

pytestmark = pytest.mark.stack

START = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "at,kind,who,visit,what,worth"
BUY = {"column": "kind", "any_of": ["buy"]}


def problem_named(mark: str, **changes: Any) -> Problem:
    source = {
        "mode": "append",
        "assigned_key": "row_content",
        "event_timestamp": "at",
        "columns": {
            "at": {"type": "timestamp"},
            "kind": {"type": "string", "allowed": ["look", "buy"]},
            "who": {"type": "integer"},
            "visit": {"type": "string", "nullable": True},
            "what": {"type": "integer"},
            "worth": {"type": "number", "min": 0, "max": 100, "nullable": True},
        },
    }
    content: dict[str, Any] = {
        "problem": f"t_{mark}",
        "title": "Shop",
        "owner": "tests",
        "sources": {f"t_{mark}_rows": source},
        "rows": {"column": "kind", "any_of": ["look"]},
        "label": {"event": BUY, "same": ["visit", "what"], "within": "20m"},
        "aggregations": [
            {"name": "looks_30m", "key": ["who"], "function": "count", "window": "30m"},
            {"name": "spent_1h", "key": ["who"], "function": "sum", "column": "worth", "where": BUY, "window": "1h"},
            {"name": "things", "key": ["visit"], "function": "distinct", "column": "what", "window": "1h"},
            {"name": "idle", "key": ["visit"], "function": "seconds_since_last"},
            {"name": "bought_2h", "key": ["what"], "function": "count", "where": BUY, "window": "2h"},
        ],
        "training": {"split": {"by": "group", "group": "who"}},
    }
    return Problem.model_validate(content | changes)


@pytest.fixture
def problem() -> Iterator[Problem]:
    made = problem_named(uuid.uuid4().hex[:8])
    with removed_afterwards(made):
        yield made


def drawn_events(seed: int, count: int = 90) -> list[dict[str, Any]]:
    """Events of few users and things within six hours, many at the same time as another, each different from all."""
    chance = Random(seed)
    found = {
        (
            START + timedelta(minutes=5 * chance.randrange(72)),
            chance.choice(["look", "look", "buy"]),
            who := chance.randrange(4),
            chance.choice([f"v{who}a", f"v{who}b", None]),
            chance.randrange(3),
            chance.choice([None, 0.1, 2.5, 9.99]),
        )
        for _ in range(count)
    }
    return [dict(zip(HEADER.split(","), event, strict=True)) for event in sorted(found, key=str)]


def as_line(event: dict[str, Any]) -> str:
    said = {**event, "at": f"{event['at']:%Y-%m-%d %H:%M:%S} UTC"}
    return ",".join("" if value is None else str(value) for value in said.values())


def content(problem: Problem) -> list[tuple[Any, ...]]:
    """Gold without keys and numbers, in a fixed order."""
    columns = ("event_timestamp", *problem.gold_columns(), "label")
    return sorted((tuple(row[name] for name in columns) for row in gold(problem).values()), key=str)


def expected(problem: Problem, events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    columns = ("event_timestamp", *problem.gold_columns(), "label")
    told = slow_oracle.told(problem, [{**event, "event_timestamp": event["at"]} for event in events])
    return sorted((tuple(row[name] for name in columns) for row in told), key=str)


@pytest.mark.parametrize("seed", [0, 1])
def test_order_batches_and_repetition_change_nothing(spark: SparkSession, problem: Problem, seed: int) -> None:
    events, chance = drawn_events(seed), Random(seed)
    shuffled = chance.sample(events, len(events))
    first, second = sorted(chance.sample(range(10, len(events) - 10), 2))
    batches = [shuffled[:first], shuffled[first:second], [*shuffled[second:], *chance.sample(shuffled[:second], 5)]]
    came: list[dict[str, Any]] = []
    for number, batch in enumerate(batches):
        ingest(problem, f"{seed}-{number}", *(as_line(event) for event in batch), header=HEADER)
        to_gold(spark, problem, f"run{number}")
        came += [event for event in batch if event not in came]
        assert content(problem) == expected(problem, came), number


def test_a_late_event_moves_what_it_touches_and_nothing_else(spark: SparkSession, problem: Problem) -> None:
    def at(minute: int) -> str:
        return f"{START + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"

    early = [f"{at(minute)},look,1,v1,7,1" for minute in (0, 10, 20, 45, 90)]
    ingest(problem, "early", *early, f"{at(30)},look,2,v2,7,1", f"{at(300)},look,9,v9,9,1", header=HEADER)
    to_gold(spark, problem, "early")
    before = {row["event_timestamp"]: row for row in gold(problem).values()}
    kept = lake.head(names.gold(problem.problem))
    assert kept is not None
    lake.create_tag(names.gold(problem.problem), "trained_test", kept.snapshot_id)

    ingest(problem, "late", f"{at(20)},buy,1,v1,7,5", header=HEADER)
    to_gold(spark, problem, "late")
    after = {row["event_timestamp"]: row for row in gold(problem).values()}
    moved = {int((time - START).total_seconds() // 60) for time, row in after.items() if row["gold_seq"] == 2}
    # Labels of the twenty minutes before it, aggregations after it; not the row of its own time, whose key it shares.
    assert moved == {0, 10, 30, 45, 90}
    assert [after[START + timedelta(minutes=m)]["label"] for m in (0, 10, 20)] == [1, 1, 0]
    own_time = START + timedelta(minutes=20)
    assert after[own_time] == before[own_time]
    assert [after[START + timedelta(minutes=m)]["spent_1h"] for m in (20, 45, 90)] == [0, 5, 0]
    assert [after[START + timedelta(minutes=m)]["bought_2h"] for m in (30, 45, 90)] == [1, 1, 1]
    # What a model was trained on stays what it was.
    tagged = lake.read(names.gold(problem.problem), snapshot_id=kept.snapshot_id).to_pylist()
    assert {row["event_timestamp"]: row for row in tagged} == before


def test_another_aggregation_rebuilds_gold_and_not_silver(spark: SparkSession, problem: Problem) -> None:
    events = drawn_events(3, 30)
    ingest(problem, "all", *(as_line(event) for event in events), header=HEADER)
    to_gold(spark, problem, "first")
    counted = problem.aggregations[0].model_copy(update={"name": "looks_ever", "window": None})
    wider = problem.model_copy(update={"aggregations": (*problem.aggregations, counted)})
    silver_before = lake.head(names.silver(problem.source_name))
    apply_contract(wider, actor="tests", reason="another aggregation")
    assert to_gold(spark, wider, "second")["rebuilt"]
    assert lake.head(names.silver(problem.source_name)) == silver_before
    assert content(wider) == expected(wider, events)
