"""A problem with one column of each kind that silver and gold treat differently, and its way from file to gold."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import SparkSession

from millrace.adapters import lake, object_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.contract.topic import Topic
from millrace.settings import get_settings
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.check_gold_data import check_gold_data
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data
from millrace.steps.publish_gold_data import publish_gold_data
from millrace.steps.transform_data import transform_data
from tests.control_rows import forget

HEADER = "id,seen_at,size,note,phone,sold"
COLUMNS: dict[str, Any] = {
    "id": {"type": "string"},
    "seen_at": {"type": "timestamp"},
    "size": {"type": "number", "min": 0, "max": 100},
    "note": {"type": "string", "nullable": True, "update": "correct"},
    "phone": {"type": "string", "sensitive": True, "pattern": "[0-9]+"},
    "sold": {"type": "integer", "allowed": [0, 1], "nullable": True},
}


def problem_named(mark: str, columns: dict[str, Any] | None = None, quality: dict[str, Any] | None = None) -> Problem:
    """Sales, where every row of a batch may be quarantined unless `quality` says otherwise."""
    source = {
        "primary_key": ["id"],
        "event_timestamp": "seen_at",
        "columns": columns or COLUMNS,
        "quality": {"max_quarantined_share": 1.0} | (quality or {}),
    }
    content = {"problem": f"t_{mark}", "title": "Sales", "owner": "tests", "sources": {f"t_{mark}_rows": source}}
    return Problem.model_validate(content | {"label": {"column": "sold", "positive": 1}})


def with_changes(problem: Problem, told: dict[str, Any]) -> Problem:
    """The same, with this section `changes`."""
    content = problem.model_dump(exclude_defaults=True)
    source = content["sources"][problem.source_name] | {"changes": told}
    return Problem.model_validate(content | {"sources": {problem.source_name: source}})


def with_topic(problem: Problem, told: dict[str, Any]) -> Problem:
    """The same, with this section `topic`."""
    source = problem.source.model_copy(update={"topic": Topic.model_validate(told)})
    return problem.model_copy(update={"sources": {problem.source_name: source}})


@contextmanager
def own_problem() -> Iterator[Problem]:
    """A problem under names of its own; all it left in lake and buckets is gone afterwards."""
    with removed_afterwards(problem_named(uuid.uuid4().hex[:8])) as problem:
        yield problem


@contextmanager
def removed_afterwards(problem: Problem) -> Iterator[Problem]:
    """All that a problem left in lake and buckets is gone afterwards."""
    settings, source = get_settings(), problem.source_name
    try:
        yield problem
    finally:
        derived = (names.silver(source), names.quarantine(source), names.gold(problem.problem))
        for table in (names.bronze_files(source), names.bronze_changes(source), *derived):
            lake.drop_table(table)
        object_store.delete_prefix(settings.landing_bucket, problem.landing_prefix)
        for reports in ("data-docs", "runs"):
            object_store.delete_prefix(settings.reports_bucket, f"{reports}/{problem.problem}/")
        forget(problem.problem)


def ingest(problem: Problem, name: str, *rows: str, header: str = HEADER) -> None:
    """Land a file of these rows, and publish it to bronze."""
    object_store.put_landing(f"{problem.landing_prefix}{name}.csv", "\n".join([header, *rows, ""]).encode())
    check_raw_data(problem, ingest_raw_data(problem, attempt=name, run_id=name))


def to_silver(spark: SparkSession, problem: Problem, run: str = "run") -> dict[str, Any]:
    transformed = transform_data(spark, problem, attempt=run, run_id=run)
    return transformed | check_silver_data(spark, problem, transformed)


def to_gold(spark: SparkSession, problem: Problem, run: str = "run") -> dict[str, Any]:
    """All the way; what building gold told."""
    checked = to_silver(spark, problem, run)
    built = build_gold_data(spark, problem, checked, attempt=run, run_id=run)
    check_gold_data(spark, problem, built, checked)
    return built | publish_gold_data(problem, built, checked)


def silver(problem: Problem) -> dict[str, dict[str, Any]]:
    """Row key → row of main."""
    return {row["row_key"]: row for row in lake.read(names.silver(problem.source_name)).to_pylist()}


def gold(problem: Problem) -> dict[str, dict[str, Any]]:
    return {row["row_key"]: row for row in lake.read(names.gold(problem.problem)).to_pylist()}


def quarantine(problem: Problem) -> list[dict[str, Any]]:
    found = lake.read(names.quarantine(problem.source_name)).to_pylist()
    return sorted(found, key=lambda row: (row["path"], row["row_number"], row["contract_hash"]))
