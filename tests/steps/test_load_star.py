"""Silver to the star schema: what plain Python makes of all rows at once, in any order or batches, after faults."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from millrace.adapters import lake, star, warehouse
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.settings import ROOT
from millrace.steps.load_star import load_star
from millrace.steps.pending import pending_transform
from tests.awaiting import await_that
from tests.steps.star_world import event, expected, found, gold_follows, own_shop, publish, row_versions, shop

pytestmark = pytest.mark.stack

DAY = [
    event("a", 0, brand="acme", price=9.0, shelf="low"),
    event("b", 60, price=8.0),
    event("c", 60, price=8.5, kind="cart"),
    event("d", 90, brand="acme", price=8.5),
    event("e", 300, user=None, price=7.0, shelf="high"),
    event("f", 310, product=None, price=1.0),
    event("g", 320, product="q", user=8),
]


@pytest.fixture
def problem() -> Iterator[Problem]:
    with own_shop() as problem:
        yield problem


def query(problem: Problem, text: str) -> list[tuple[Any, ...]]:
    with warehouse.connect() as connection:
        return connection.execute(text.replace("{mark}", problem.problem.removeprefix("t_"))).fetchall()


def test_facts_point_at_the_version_that_was_in_force(problem: Problem) -> None:
    publish(problem, 1, *DAY)
    told = load_star(problem)
    assert (told["outcome"], told["came"], told["gone"], told["rows"]) == ("loaded", 7, 0, 7)
    assert found(problem) == expected(DAY)
    versions = query(
        problem,
        "SELECT brand, price, shelf, is_current FROM warehouse.dim_product_{mark}"
        " WHERE product = 'p' ORDER BY valid_from",
    )
    # Of the two prices of one instant, that of the greater row key counts; what a row does not tell stays.
    assert versions == [("acme", 9.0, "high", False), ("acme", 8.5, "high", False), ("acme", 7.0, "high", True)]


def test_a_row_without_a_key_speaks_of_the_unknown_member(problem: Problem) -> None:
    publish(problem, 1, *DAY)
    load_star(problem)
    unknown = query(
        problem,
        "SELECT row_key FROM warehouse.fact_events_{mark}"
        " WHERE user_{mark}_key = 0 OR product_{mark}_key = 0 ORDER BY 1",
    )
    assert unknown == [("e",), ("f",)]
    assert query(
        problem, "SELECT shop, product, brand FROM warehouse.dim_product_{mark} WHERE product_{mark}_key = 0"
    ) == [(None, None, None)]


def test_every_day_of_a_year_that_was_seen_has_its_row(problem: Problem) -> None:
    publish(problem, 1, event("a", 0), event("b", 2 * 24 * 60))
    load_star(problem)
    days = query(
        problem, "SELECT count(*), count(DISTINCT date_key) FROM warehouse.dim_date WHERE year IN (2024, 2025)"
    )
    assert days == [(366 + 365, 366 + 365)]
    assert query(problem, "SELECT * FROM warehouse.dim_date WHERE date_key = 20241231") == [
        (20241231, *query(problem, "SELECT date '2024-12-31'")[0], 2024, 4, 12, 31, 1, 2, "Tuesday", False)
    ]


def test_loading_again_writes_no_row(problem: Problem) -> None:
    publish(problem, 1, *DAY)
    load_star(problem)
    before = row_versions(problem)
    assert load_star(problem)["outcome"] == "current"
    assert row_versions(problem) == before
    # As after a rebuild of silver that changed no value: every row has a new number, and is looked at.
    publish(problem, 2, *DAY, without="changed_seq == 1")
    told = load_star(problem)
    assert (told["outcome"], told["came"], told["gone"], told["repointed"]) == ("loaded", 0, 0, 0)
    assert row_versions(problem) == before


def test_members_keep_their_numbers_when_everything_is_loaded_anew(problem: Problem) -> None:
    publish(problem, 1, *DAY)
    load_star(problem)
    numbers = "SELECT product_{mark}_key, shop, product, valid_from FROM warehouse.dim_product_{mark} ORDER BY 1"
    before = query(problem, numbers), query(problem, "SELECT * FROM warehouse.fact_events_{mark} ORDER BY row_key")
    lake.drop_table(names.silver(problem.source_name))
    publish(problem, 1, *reversed(DAY))
    assert load_star(problem)["outcome"] == "loaded"
    now = query(problem, numbers), query(problem, "SELECT * FROM warehouse.fact_events_{mark} ORDER BY row_key")
    assert now == before


def test_a_late_row_splits_the_version_that_it_falls_into(problem: Problem) -> None:
    early, late, next_day = event("a", 0, price=9.0), event("b", 30, price=7.0), event("c", 60, price=9.0)
    publish(problem, 1, early, next_day)
    load_star(problem)
    assert len(found(problem)["products"]) == 1
    publish(problem, 2, late)
    told = load_star(problem)
    assert (told["came"], told["repointed"]) == (1, 1)
    assert found(problem) == expected([early, late, next_day])
    publish(problem, 3, without="row_key == 'b'")
    assert load_star(problem)["gone"] == 1
    assert found(problem) == expected([early, next_day])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_order_and_no_batching_matters(problem: Problem, seed: int) -> None:
    draw = random.Random(seed)
    rows, seq = draw.sample(DAY, len(DAY)), 0
    while rows:
        seq, taken = seq + 1, draw.randint(1, 4)
        publish(problem, seq, *rows[:taken])
        load_star(problem)
        rows = rows[taken:]
    assert found(problem) == expected(DAY)


def test_a_load_that_comes_late_does_not_bring_the_old_back(problem: Problem) -> None:
    publish(problem, 7, *DAY)
    load_star(problem)
    with warehouse.connect() as connection:
        mark = star.lock(connection, problem.problem)
        assert mark is not None
        newer = star.Loaded(mark.silver_table_uuid, 1, 8, "another shape", mark.tables, mark.rows)
        star.record(connection, problem.problem, newer)
    before = row_versions(problem)
    assert load_star(problem)["outcome"] == "newer"
    assert row_versions(problem) == before


def test_a_load_that_fails_half_way_shows_nothing(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(problem, 1, *DAY[:3])
    load_star(problem)
    before = row_versions(problem)
    publish(problem, 2, *DAY[3:])

    def cut(connection: warehouse.Connection, *_: object) -> None:
        with warehouse.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        connection.execute("SELECT 1")

    monkeypatch.setattr(star, "record", cut)
    with pytest.raises(Exception, match="terminat"):
        load_star(problem)
    monkeypatch.undo()
    assert row_versions(problem) == before
    assert load_star(problem)["came"] == 4
    assert found(problem) == expected(DAY)


KILLED = """
import sys, time
from millrace.adapters import star
from millrace.steps.load_star import load_star
from tests.steps.star_world import shop

def wait(*_):
    print("written, not committed", flush=True)
    time.sleep(600)

star.record = wait
load_star(shop(sys.argv[1]))
"""


def test_a_process_that_is_killed_half_way_leaves_nothing(problem: Problem) -> None:
    publish(problem, 1, *DAY)
    mark = problem.problem.removeprefix("t_")
    command = [sys.executable, "-c", KILLED, mark]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert "not committed" in process.stdout.readline()
            tables = f"SELECT table_name FROM information_schema.tables WHERE table_name LIKE '%{mark}'"
            assert query(problem, tables) == []
        finally:
            process.kill()
    # The lock goes with the session, which Postgres ends when it finds that no one is there.
    assert await_that("the next load", lambda: load_star(problem), seconds=60)["outcome"] == "loaded"
    assert found(problem) == expected(DAY)


def test_another_star_is_made_of_all_rows_and_keeps_the_members(problem: Problem) -> None:
    publish(problem, 1, *DAY)
    load_star(problem)
    mark = problem.problem.removeprefix("t_")
    numbers = 'SELECT user_{mark}_key, "user" FROM warehouse.dim_user_{mark} ORDER BY 1'
    before = query(problem, numbers)

    changed = shop(mark, user={"key": ["user"], "columns": {"kind": "correct"}}, product={"key": ["product"]})
    assert load_star(changed)["outcome"] == "loaded"
    assert query(problem, numbers) == before
    assert query(problem, 'SELECT kind FROM warehouse.dim_user_{mark} WHERE "user" = 7') == [("view",)]
    products = query(problem, "SELECT product FROM warehouse.dim_product_{mark} ORDER BY product")
    assert products == [("p",), ("q",), (None,)]

    load_star(shop(mark, shop={"key": ["shop"]}))
    joined = "SELECT count(*) FROM warehouse.fact_events_{mark} JOIN warehouse.dim_shop_{mark} USING (shop_{mark}_key)"
    assert query(problem, joined) == [(7,)]

    load_star(problem)
    assert query(problem, "SELECT to_regclass('warehouse.dim_shop_{mark}')") == [(None,)]
    assert query(problem, numbers) == before
    assert found(problem) == expected(DAY)


def test_the_level_shows_until_the_star_holds_silver(problem: Problem) -> None:
    assert pending_transform(problem) is None
    publish(problem, 1, *DAY[:3])
    gold_follows(problem, 1)
    silver = names.silver(problem.source_name)
    assert pending_transform(problem) == f"the star schema does not hold {silver}"
    load_star(problem)
    assert pending_transform(problem) is None
    publish(problem, 2, *DAY[3:])
    gold_follows(problem, 2)
    assert pending_transform(problem) == "the star schema holds change 1 of silver, which is at 2"
    load_star(problem)
    changed = shop(problem.problem.removeprefix("t_"), shop={"key": ["shop"]})
    assert pending_transform(changed) == "the contract's star schema changed since it was loaded"
    load_star(changed)
    assert pending_transform(changed) is None


def test_what_cannot_be_loaded_is_told(problem: Problem) -> None:
    with pytest.raises(MillraceError, match="no silver to load"):
        load_star(problem)
    publish(problem, 1, event("a", product="p" * 3_000, shop="".join(map(chr, range(32, 3_000)))))
    with pytest.raises(MillraceError, match="too long for the key of a dimension"):
        load_star(problem)
    other = problem.model_copy(update={"problem": f"{problem.problem}_too"})
    publish(problem, 2, *DAY, without="row_key == 'a'")
    load_star(problem)
    with pytest.raises(MillraceError, match="belongs to another problem"):
        load_star(other)
