"""A changed contract: shown before it is applied, applied in one step that readers see, and undisturbed by a kill."""

import re
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.cli import planning
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.planning import KeyChange
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.check_gold_data import check_gold_data
from millrace.steps.contract_in_force import apply_contract
from millrace.steps.pending import pending_transform
from millrace.steps.plan_contract import plan_contract
from millrace.steps.publish_gold_data import publish_gold_data
from tests.steps.transforming import COLUMNS, gold, ingest, own_problem, problem_named, silver, to_gold, to_silver

pytestmark = pytest.mark.stack
ROWS = ("k1,2026-01-01,5,x,1,1", "k2,2026-01-01,50,y,2,1", "k3,2026-01-01,500,z,3,0", "k4,2026-01-01,500,z,x,0")


@pytest.fixture
def problem() -> Iterator[Problem]:
    with own_problem() as problem:
        yield problem


@pytest.fixture
def changed(spark: SparkSession, problem: Problem) -> Problem:
    """A contract that is not applied, of a problem whose rows are in gold."""
    ingest(problem, "a", *ROWS)
    to_gold(spark, problem, "first")
    wide = COLUMNS | {"size": {"type": "number", "min": 10, "max": 1000}, "note": {"type": "string", "sensitive": True}}
    return problem_named(problem.problem.removeprefix("t_"), wide)


def heads(problem: Problem) -> list[lake.Head | None]:
    source = problem.source_name
    return [lake.head(t) for t in (names.silver(source), names.quarantine(source), names.gold(problem.problem))]


def test_a_plan_tells_what_applying_does(
    spark: SparkSession,
    problem: Problem,
    changed: Problem,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, source = heads(problem), problem.source_name
    ingest(problem, "b", "k5,2026-01-01,5,x,1,1")
    plan = plan_contract(spark, changed)
    monkeypatch.setattr(planning, "find_problem", lambda _: changed)
    planning.plan(changed.problem)
    told = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert f"~ sources.{source}.columns.size.max: 100 → 1000" in told
    assert f"Columns of gold.{changed.problem} - note string" in told
    assert "entering 1 range:size 1" in told
    assert "no champion yet" in told
    assert f"millrace apply {changed.problem} --reason …" in told
    assert heads(problem) == before
    assert plan.tables == (names.quarantine(source), names.silver(source), names.gold(problem.problem))
    assert plan.keys is not None
    place = f"sources.{source}.columns"
    assert KeyChange(f"{place}.size.max", 100.0, 1000.0) in plan.keys
    assert {one.place.removeprefix(f"{place}.") for one in plan.keys} == {
        "size.min",
        "size.max",
        "note.nullable",
        "note.update",
        "note.sensitive",
    }
    assert dict(plan.columns[names.gold(problem.problem)].removed) == {"note": "string"}
    assert names.silver(source) not in plan.columns
    rows = plan.rows
    assert rows is not None
    assert (rows.read, rows.silver_before, rows.silver_after, rows.files_since) == (4, 2, 2, 1)
    assert (rows.compared.entering, rows.compared.leaving, rows.compared.staying) == (1, 1, 1)
    assert rows.compared.entering_by_reason == {"range:size": 1}
    assert rows.compared.leaving_by_reason == {"range:size": 1}

    strict = problem_named(
        changed.problem.removeprefix("t_"),
        COLUMNS | {"size": {"type": "number", "max": 6}},
        quality={"max_quarantined_share": 0.5},
    )
    refused = plan_contract(spark, strict).rows
    assert refused is not None
    assert [(one.rows, one.quarantined) for one in refused.over_limit] == [(4, 3)]
    assert refused.too_few == "rows:max_row_count_drop: 1, at least 2"

    # What it told is what happens.
    apply_contract(changed, actor="ann", reason="larger sizes are sold now")
    to_gold(spark, changed, "second")
    assert set(silver(changed)) == {'["k2"]', '["k3"]'}
    assert plan_contract(spark, changed).tables == ()


def test_silver_and_gold_are_published_together(spark: SparkSession, problem: Problem, changed: Problem) -> None:
    apply_contract(changed, actor="ann", reason="larger sizes are sold now")
    silver_before, _, gold_before = heads(problem)
    checked = to_silver(spark, changed, "run")
    built = build_gold_data(spark, changed, checked, attempt="run", run_id="run")
    check_gold_data(spark, changed, built, checked)
    silver_now, _, gold_now = heads(problem)
    assert (silver_now, gold_now) == (silver_before, gold_before)
    # Killed here, a new run builds both again; the first attempt then comes too late for either.
    to_gold(spark, changed, "retry")
    after = heads(problem)
    assert set(gold(changed)) == set(silver(changed)) == {'["k2"]', '["k3"]'}
    with pytest.raises(Exception, match="Another attempt published first"):
        publish_gold_data(changed, built, checked)
    assert heads(problem) == after


def test_a_kill_between_the_two_publications_is_seen_and_made_good(spark: SparkSession, changed: Problem) -> None:
    apply_contract(changed, actor="ann", reason="larger sizes are sold now")
    checked = to_silver(spark, changed, "run")
    lake.publish(lake.Branch(checked["table"], checked["branch"], checked["base"]))
    assert pending_transform(changed) is not None
    assert to_gold(spark, changed, "next")["rebuilt"]
    assert set(gold(changed)) == set(silver(changed)) == {'["k2"]', '["k3"]'}
    assert "note" not in gold(changed)['["k2"]']
