"""`kill -9` in the middle of a commit that makes rows visible: readers have what they had, a retry brings the rest."""

from collections.abc import Iterator

import pytest

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.drills.held_commit import held_commit
from millrace.steps.contract_in_force import apply_contract
from millrace.steps.load_warehouse import load_warehouse
from millrace.steps.pending import pending_transform
from millrace.steps.publish_gold_data import publish_gold_data
from tests.awaiting import await_that
from tests.faults import sales
from tests.faults.conftest import Told
from tests.faults.victims import PATIENCE_SECONDS, a_victim, kill
from tests.faults.waiting import held, somebody_waits
from tests.tables import fingerprints

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture
def problem() -> Iterator[Problem]:
    """The first file is served, and the second is in bronze."""
    with sales.sales() as problem:
        sales.take_in(problem, 0)
        sales.land(problem, 1)
        sales.ingest(problem, "file-1")
        yield problem


@pytest.fixture(scope="module")
def calm_change() -> dict[str, str]:
    """What the tables hold after one file, and another contract that was applied undisturbed."""
    with sales.sales() as problem:
        sales.take_in(problem, 0)
        new = sales.changed(problem)
        apply_contract(new, actor="tests", reason="wider limits")
        sales.transform(new, "rebuild")
        return fingerprints(new)


def seen_by_readers(problem: Problem) -> list[str]:
    found = fingerprints(problem)
    return [found["gold"], found["warehouse"]]


def test_killed_while_gold_is_published(problem: Problem, calm: sales.Calm, told: Told) -> None:
    gold = names.gold(problem.problem)
    with sales.session() as spark:
        built, checked = sales.built(spark, problem, "file-1")
    with held_commit(gold) as commit, a_victim(publish_gold_data, problem, built, checked) as victim:
        await_that("it commits", lambda: somebody_waits(commit.connection), seconds=PATIENCE_SECONDS)
        kill(victim)
        assert seen_by_readers(problem) == [calm[0]["gold"], calm[0]["warehouse"]]
    # As Airflow tries the task again: with what the tasks before it told.
    publish_gold_data(problem, built, checked)
    load_warehouse(problem)
    assert fingerprints(problem) == calm[1]
    told("`publish_gold_data` killed in its commit", "readers had the old gold, the retry published the new")


def test_killed_while_the_warehouse_is_loaded(problem: Problem, calm: sales.Calm, told: Told) -> None:
    with sales.session() as spark:
        publish_gold_data(problem, *sales.built(spark, problem, "file-1"))
    # Its very last statement: every row is written by then.
    its_mark = "SELECT FROM warehouse.gold_loaded WHERE problem = %s FOR UPDATE"
    with held(its_mark, [problem.problem]) as holder, a_victim(load_warehouse, problem) as victim:
        await_that("all is loaded but for the commit", lambda: somebody_waits(holder), seconds=PATIENCE_SECONDS)
        kill(victim)
        assert fingerprints(problem)["warehouse"] == calm[0]["warehouse"]
    assert "warehouse" in str(pending_transform(problem))
    assert load_warehouse(problem)["outcome"] == "loaded"
    assert fingerprints(problem) == calm[1]
    told("`load_warehouse` killed before its commit", "readers had the old rows, the retry loaded the new")


def test_apply_killed_while_it_builds(calm_change: dict[str, str], told: Told) -> None:
    with sales.sales() as problem:
        new, before = changed_and_applied(problem)
        silver, gold = names.silver(problem.source_name), names.gold(problem.problem)
        # Gold is held, so that the victim cannot come to its end before it is killed.
        with held_commit(gold), a_victim(sales.transform, new, "killed") as victim:
            await_that("silver is being built", lambda: lake.stray_branches(silver, -1), seconds=PATIENCE_SECONDS)
            kill(victim)
        assert seen_by_readers(problem) == before
        assert pending_transform(new)
        sales.transform(new, "again")
        assert fingerprints(new) == calm_change
    told("`apply` killed while it builds silver", "readers had the old contract whole, the retry built the new")


def test_apply_killed_between_its_two_publications(calm_change: dict[str, str], told: Told) -> None:
    with sales.sales() as problem:
        new, before = changed_and_applied(problem)
        silver, gold = names.silver(problem.source_name), names.gold(problem.problem)
        with sales.session() as spark:
            built, checked = sales.built(spark, new, "killed")
        with held_commit(gold) as commit, a_victim(publish_gold_data, new, built, checked) as victim:
            await_that("gold's turn comes", lambda: somebody_waits(commit.connection), seconds=PATIENCE_SECONDS)
            kill(victim)
        head = lake.head(silver)
        assert head is not None
        assert head.snapshot_id == checked["snapshot_id"], "silver is published first"
        assert seen_by_readers(problem) == before
        assert pending_transform(new)
        sales.transform(new, "again")
        assert fingerprints(new) == calm_change
    told("`apply` killed between its two publications", "readers had the old contract whole, the retry built the new")


def changed_and_applied(problem: Problem) -> tuple[Problem, list[str]]:
    """One file is served; then its contract changes, and is applied. Also what readers of the old one see."""
    sales.take_in(problem, 0)
    new = sales.changed(problem)
    apply_contract(new, actor="tests", reason="wider limits")
    return new, seen_by_readers(problem)
