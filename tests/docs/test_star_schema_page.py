"""`docs/star-schema.md` is executed: its file and rows go through the DAGs, and its queries answer what it says."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
import yaml

from docs.drift.markdown import Block, blocks_of
from millrace.adapters import lake, star, warehouse
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import ROOT
from millrace.steps.pending import pending_transform
from tests.dags.running import run_stage
from tests.tables import land
from tests.throwaway import problem_from

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
BLOCKS = blocks_of(ROOT / "docs" / "star-schema.md")
QUERIES = [(asked, said) for asked, said in pairwise(BLOCKS) if asked.language == "sql"]


@pytest.fixture(scope="module")
def visits() -> Iterator[Problem]:
    """The page's problem, its tables under names of this session's own."""
    mark = uuid.uuid4().hex[:6]
    content = yaml.safe_load(text_of("include/problems/visits.yaml"))
    section = content["warehouse"]
    section["fact"]["name"] += f"_{mark}"
    section["dimensions"] = {f"{name}_{mark}": told for name, told in section["dimensions"].items()}
    named = {"problem": f"visits_{mark}", "title": f"Visits {mark}"}
    sources = {f"{name}_{mark}": told for name, told in content["sources"].items()}
    with problem_from(content | named | {"sources": sources}) as problem:
        yield problem
        source = problem.source_name
        derived = (names.silver(source), names.quarantine(source), names.gold(problem.problem))
        for table in (names.bronze_files(source), *derived):
            lake.drop_table(table)
        with warehouse.connect() as connection:
            star.forget(connection, problem.problem)
            warehouse.forget(connection, problem.problem)


def text_of(title: str) -> str:
    return next(block.text for block in BLOCKS if block.title == title)


def take_in(problem: Problem, title: str) -> None:
    land(problem, title, text_of(title).encode())
    for stage in ("ingest_files", "transform"):
        run = run_stage(problem, stage)
        assert run.state == "success", run.tasks
    assert run.tasks["load_star_schema"] == "success"
    assert pending_transform(problem) is None


def answer(problem: Problem, asked: Block) -> list[list[str]]:
    """The answer to a query of the page, which names the tables as a reader has them."""
    mark = problem.problem.rpartition("_")[2]
    text = asked.text
    for name in ("dim_product", "dim_shopper", "fact_visits", "product_key", "shopper_key"):
        head, _, tail = name.partition("_")
        text = text.replace(name, f"{head}_{mark}_key" if tail == "key" else f"{name}_{mark}")
    with warehouse.connect() as connection:
        return [[told(value) for value in row] for row in connection.execute(text)]  # type: ignore[arg-type]


def told(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


def table(said: Block) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in said.text.splitlines()]


def test_the_page_tells_what_the_warehouse_answers(visits: Problem) -> None:
    take_in(visits, "visits.csv")
    before = [(asked, said) for asked, said in QUERIES if not asked.title.endswith("-after")]
    for asked, said in before:
        assert answer(visits, asked) == table(said), asked.title
    take_in(visits, "late.csv")
    ((asked, said),) = [pair for pair in QUERIES if pair not in before]
    assert answer(visits, asked) == table(said)
