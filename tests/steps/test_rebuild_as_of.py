"""Gold of an earlier time, built from what bronze knew then: the past as it was, and the present untouched."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.steps.rebuild_as_of import rebuild_as_of
from tests.steps.transforming import gold, ingest, own_problem, to_gold

pytestmark = pytest.mark.stack


@pytest.fixture
def problem() -> Iterator[Problem]:
    with own_problem() as problem:
        yield problem


def values(rows: list[dict[str, object]]) -> set[tuple[object, ...]]:
    """What rows say, without the number of the publication that wrote them."""
    return {(row["row_key"], row["size"], row["note"], row["label"]) for row in rows}


def test_the_past_is_built_as_it_was_and_the_present_stays(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,first,1,", "k2,2026-01-01,6,x,1,0")
    to_gold(spark, problem, "first")
    then, past = datetime.now(UTC), values(list(gold(problem).values()))
    ingest(problem, "b", "k1,2026-01-01,5,second,1,1", "k3,2026-01-01,6,x,1,0")
    to_gold(spark, problem, "second")
    table = names.gold(problem.problem)
    before = (lake.head(table), lake.head(names.silver(problem.source_name)))
    built = rebuild_as_of(spark, problem, then)
    assert values(lake.read(table, ref=built["tag"]).to_pylist()) == past
    assert (built["rows"], lake.count(table)) == (2, 3)
    assert (lake.head(table), lake.head(names.silver(problem.source_name))) == before
    assert lake.stray_branches(table, older_than_seconds=-1) == []
    assert rebuild_as_of(spark, problem, then) == built
    with pytest.raises(MillraceError, match="nothing to build gold from"):
        rebuild_as_of(spark, problem, then - timedelta(days=1))
    # What comes after is not misled by it.
    ingest(problem, "c", "k4,2026-01-01,6,x,1,0")
    assert to_gold(spark, problem, "third")["changed"] == 1
    assert len(gold(problem)) == 4
