"""A small problem on its way: two files, the second with new keys and other rows of known ones, a few rows broken.

No file tells of the problem, so that a running Airflow leaves it alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import SparkSession

from millrace.adapters import connect, warehouse
from millrace.adapters.object_store import put_landing
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.check_gold_data import check_gold_data
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data
from millrace.steps.load_warehouse import load_warehouse
from tests.steps.transforming import COLUMNS, HEADER, own_problem, problem_named, to_gold, to_silver

Calm = tuple[dict[str, str], dict[str, str]]
"""Fingerprints after the first file, and after both."""
ROWS = 400
KNOWN = 100
"""Rows of the second file whose keys the first one brought."""


def file(number: int) -> bytes:
    """The file of a number, 0 or 1."""
    first = number * (ROWS - KNOWN)
    lines = (
        f"k{n},2026-01-{1 + n % 28:02},{500 if n % 19 == number else n % 90},note {number} {n},{100 + n},{n % 2}"
        for n in range(first, first + ROWS)
    )
    return "\n".join([HEADER, *lines, ""]).encode()


def land(problem: Problem, number: int) -> None:
    put_landing(f"{problem.landing_prefix}{number}.csv", file(number))


def ingest(problem: Problem, attempt: str) -> None:
    """Publish to bronze what has landed."""
    check_raw_data(problem, ingest_raw_data(problem, attempt=attempt, run_id=attempt))


def transform(problem: Problem, attempt: str) -> None:
    """From bronze to the warehouse."""
    with session() as spark:
        to_gold(spark, problem, attempt)
    load_warehouse(problem)


def take_in(problem: Problem, number: int) -> None:
    """One file, all the way."""
    land(problem, number)
    ingest(problem, f"file-{number}")
    transform(problem, f"file-{number}")


@contextmanager
def session(store: str = "") -> Iterator[SparkSession]:
    """A session that asks this store, by default that of the settings; others on the server do not notice."""
    with connect.session() as spark:
        spark.conf.set("spark.sql.catalog.lake.s3.endpoint", store or get_settings().s3_url)
        yield spark


def built(spark: SparkSession, problem: Problem, attempt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything of a transform before gold is published: what building told, and what checking silver told."""
    checked = to_silver(spark, problem, attempt)
    done = build_gold_data(spark, problem, checked, attempt=attempt, run_id=attempt)
    check_gold_data(spark, problem, done, checked)
    return done, checked


def changed(problem: Problem) -> Problem:
    """Another contract of the same problem: rows leave the quarantine, and gold loses a column."""
    size, note = {"type": "number", "min": 0, "max": 1_000}, {"type": "string", "sensitive": True}
    return problem_named(problem.problem.removeprefix("t_"), COLUMNS | {"size": size, "note": note})


@contextmanager
def sales() -> Iterator[Problem]:
    """The problem; nothing of it is left afterwards."""
    with own_problem() as problem:
        try:
            yield problem
        finally:
            forget(problem)


def forget(problem: Problem) -> None:
    """Remove the problem from the warehouse."""
    with warehouse.connect() as connection:
        warehouse.forget(connection, problem.problem)
