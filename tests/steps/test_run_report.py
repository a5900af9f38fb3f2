"""The report of a run: right about its rows, silent about sensitive columns, there also when the run failed."""

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import object_store
from millrace.contract import names
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.check_gold_data import check_gold_data
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.publish_gold_data import publish_gold_data
from millrace.steps.run_report.record import Failure, RunRecord, TaskRecord
from millrace.steps.run_report.writing import report_run
from millrace.steps.transform_data import transform_data
from tests.steps.transforming import ingest, own_problem, problem_named

pytestmark = pytest.mark.stack

ROWS = 60
BROKEN_PHONE = "12 or so"
"""No name that is drawn can hold it."""
PHONE = "5550100"


@pytest.fixture(scope="module")
def problem() -> Iterator[Problem]:
    with own_problem() as problem:
        yield problem


def rows(first: int, *, size: float, broken: int = 0) -> list[str]:
    """Rows of `transforming.HEADER`; the first ones have a letter in their telephone number, which is sensitive."""
    phones = [BROKEN_PHONE] * broken + [PHONE] * (ROWS - broken)
    return [f"k{first + n},2026-01-01,{size + n / 10},x,{phone},{n % 2}" for n, phone in enumerate(phones)]


def transform(spark: SparkSession, problem: Problem, run: str) -> dict[str, Any]:
    """Task → what it returned, as in the DAG."""
    transformed = transform_data(spark, problem, attempt=run, run_id=run)
    results = {"transform_data": transformed}
    results["quality_check_silver_data"] = checked = check_silver_data(spark, problem, transformed)
    results["build_gold_data"] = built = build_gold_data(spark, problem, checked, attempt=run, run_id=run)
    results["quality_check_gold_data"] = check_gold_data(spark, problem, built, checked)
    results["publish_gold_data"] = publish_gold_data(problem, built, checked)
    return results


def record(problem: Problem, stage: str, run: str, results: dict[str, Any], *more: TaskRecord) -> RunRecord:
    done = (TaskRecord(task_id=task, state="success", seconds=1.5) for task in results)
    told = {"problem": problem.problem, "stage": stage, "run_id": run, "trigger": "by hand"}
    return RunRecord(**told, tasks=(*done, *more), results=results)


def page(record: RunRecord) -> str:
    """The page as it was stored, without entities."""
    key = names.run_report(record.problem, record.stage, record.run_key)
    return html.unescape(object_store.get(get_settings().reports_bucket, key).decode())


def seen_as_text(told: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", told))


@pytest.fixture(scope="module")
def first(spark: SparkSession, problem: Problem) -> RunRecord:
    ingest(problem, "first", *rows(0, size=10))
    return record(problem, "transform", "first", transform(spark, problem, "first"))


@pytest.fixture(scope="module")
def second(spark: SparkSession, problem: Problem, first: RunRecord) -> RunRecord:
    """Another batch: as many rows, larger sizes, a few of them broken."""
    ingest(problem, "second", *rows(ROWS, size=40, broken=4))
    return record(problem, "transform", "second", transform(spark, problem, "second"))


def test_a_first_batch_has_nothing_to_be_compared_with(problem: Problem, first: RunRecord) -> None:
    assert report_run(problem, first)["outcome"] == "published"
    assert f"{ROWS} rows came, 0 were there" in page(first)


def test_rows_add_up_and_drift_names_the_column_that_moved(problem: Problem, second: RunRecord) -> None:
    report_run(problem, second)
    told = seen_as_text(page(second))
    assert f"{ROWS - 4} into {names.silver(problem.source_name)}" in told
    assert "4 quarantined" in told
    assert re.search(r"moved size \d", told)
    assert re.search(r"as before note \d", told)
    assert "columns that moved 1 of 3" in told, "size, note and the label; no key, no telephone"


def test_of_a_sensitive_column_nothing_is_told_but_whether_its_rules_hold(problem: Problem, second: RunRecord) -> None:
    report_run(problem, second)
    told = page(second)
    assert PHONE not in told
    assert BROKEN_PHONE not in told
    assert re.search(r"pattern:phone not told: the column is sensitive", seen_as_text(told))
    assert not re.search(r"pattern:phone (\S+ ){0,3}\d+ of \d+ rows", seen_as_text(told))


def test_the_same_run_gives_the_same_page(problem: Problem, second: RunRecord) -> None:
    report_run(problem, second)
    once = page(second)
    report_run(problem, second)
    assert page(second) == once


def test_a_refused_batch_says_why_and_what_to_do(spark: SparkSession, problem: Problem, second: RunRecord) -> None:
    strict = problem.model_copy(
        update={"sources": problem_named(problem.problem[2:], quality={"max_quarantined_share": 0.1}).sources}
    )
    ingest(problem, "third", *rows(2 * ROWS, size=40, broken=20))
    transformed = transform_data(spark, strict, attempt="third", run_id="third")
    with pytest.raises(VerdictError) as refused:
        check_silver_data(spark, strict, transformed)
    error = refused.value
    said = {"problem": error.problem, "found": error.found, "expected": error.expected, "fix": error.fix}
    failed = TaskRecord(
        task_id="quality_check_silver_data", state="failed", failure=Failure(is_verdict=True, place=error.place, **said)
    )
    run = record(strict, "transform", "third", {"transform_data": transformed}, failed)
    assert report_run(strict, run)["outcome"] == "refused"
    told = seen_as_text(page(run))
    assert "Why it was refused" in told
    assert f"millrace reject {problem.problem}" in told
    assert "valid, and not published" in told
    assert "✗ broken batch:max_quarantined_share" in told


@pytest.mark.parametrize("stage", ["transform", "train", "deploy"])
def test_a_run_that_failed_at_once_has_a_page(problem: Problem, stage: str) -> None:
    killed = TaskRecord(task_id="check_connection", state="failed", seconds=3.0)
    never = TaskRecord(task_id="what_comes_then", state="upstream_failed")
    run = record(problem, stage, f"failed {stage}", {}, killed, never)
    assert report_run(problem, run)["outcome"] == "failed"
    told = seen_as_text(page(run))
    assert "The task check_connection failed." in told
    assert "It was ended before it could say why" in told


@pytest.mark.parametrize(
    ("stage", "word"), [("transform", "nothing new"), ("train", "not due"), ("deploy", "nothing to do")]
)
def test_a_run_that_had_nothing_to_do_says_so(problem: Problem, stage: str, word: str) -> None:
    assert report_run(problem, record(problem, stage, f"idle {stage}", {}))["outcome"] == word
