"""Loads of a star, one after the other: each ends in what plain Python makes of all rows at once."""

import csv
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.adapters import star, warehouse
from millrace.contract.problem import Problem
from millrace.settings import ROOT
from millrace.steps.load_star import star_of
from tests.steps.star_world import Row, event, expected, found, row_versions, shop

pytestmark = pytest.mark.stack
KEYS, MINUTES = 12, 5
REAL = ROOT.parent / "shared" / "data" / "rees46_2019-Oct_sample.csv"


@contextmanager
def loads() -> Iterator[Problem]:
    problem = shop(uuid.uuid4().hex[:8])
    try:
        yield problem
    finally:
        with warehouse.connect() as connection:
            star.forget(connection, problem.problem)


def load(problem: Problem, changed: list[Row], silver: dict[str, Row]) -> None:
    """Load these rows of a silver of those rows."""
    of = star_of(problem)
    columns = star.staged_columns(of)
    living = [(key,) for key, row in silver.items() if not row["deleted"]]
    with warehouse.connect() as connection:
        whole = star.ensure_tables(connection, of, star.lock(connection, problem.problem))
        rows = (tuple(row[column] for column in columns) for row in changed)
        star.load(connection, of, rows, living_rows=len(living), living_keys=lambda: living, whole=whole)
        now = star.Loaded("uuid", 1, 1, of.shape(), of.names, len(living))
        star.record(connection, problem.problem, now)


def rows() -> st.SearchStrategy[Row]:
    """Few keys, instants and values, so that rows meet: of one instant, of one member, with nothing to tell."""
    pick = st.sampled_from
    told = {
        "user": pick([None, 1, 2]),
        "shop": pick([None, "s", "s", "t"]),
        "product": pick([None, "p", "p", "q"]),
        "brand": pick([None, None, "x", "y"]),
        "price": pick([None, 1.0, 2.0]),
        "shelf": pick([None, None, "low", "high"]),
        "deleted": pick([False] * 5 + [True]),
    }
    return st.builds(
        lambda key, at, values: event(f"k{key}", at, **values),
        st.integers(0, KEYS),
        st.integers(0, MINUTES),
        st.fixed_dictionaries(told),
    )


def batches() -> st.SearchStrategy[list[list[Row]]]:
    """Each a change of silver: keys that are new, and keys that were there and now say something else."""
    batch = st.lists(rows(), max_size=8, unique_by=lambda row: row["row_key"])
    return st.lists(batch, min_size=1, max_size=5)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(batches(), st.data())
def test_after_every_load_the_star_is_that_of_all_rows(changes: list[list[Row]], data: st.DataObject) -> None:
    with loads() as problem:
        silver: dict[str, Row] = {}
        for changed in changes:
            lost = data.draw(st.sets(st.sampled_from(sorted(silver)), max_size=2)) if silver else set()
            silver = {key: row for key, row in silver.items() if key not in lost}
            silver |= {row["row_key"]: row for row in changed}
            load(problem, changed, silver)
            assert found(problem) == expected(list(silver.values()))
        before = row_versions(problem)
        load(problem, list(silver.values()), silver)
        assert row_versions(problem) == before, "loading what is there wrote a row"


@pytest.mark.realdata
def test_real_events_in_any_order_make_one_star() -> None:
    silver = {row["row_key"]: row for row in map(real_event, enumerate(csv.DictReader(REAL.open(encoding="utf-8"))))}
    shuffled = random.Random(4).sample(list(silver.values()), len(silver))
    with loads() as problem:
        before: dict[str, Row] = {}
        for batch in (shuffled[:9_000], shuffled[9_000:17_000], shuffled[17_000:]):
            before |= {row["row_key"]: row for row in batch}
            load(problem, batch, before)
        assert found(problem) == expected(list(silver.values()))


def real_event(numbered: tuple[int, dict[str, str]]) -> Row:
    number, told = numbered
    at = datetime.fromisoformat(told["event_time"].replace(" UTC", "+00:00"))
    values = {"user": int(told["user_id"]), "product": told["product_id"], "price": float(told["price"])}
    named = {"brand": told["brand"] or None, "shelf": told["category_code"] or None, "kind": told["event_type"]}
    return event(f"{number:06d}") | {"event_timestamp": at, "happened_at": at} | values | named
