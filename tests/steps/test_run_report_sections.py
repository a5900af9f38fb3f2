"""Sections of a run's report, from a record alone."""

from typing import Any

import pytest

from millrace.reporting.page import Bar, Page, Parts, Section, Table, Text
from millrace.reporting.render import render
from millrace.steps.run_report.batch import HIDDEN, drift_of, rows_of
from millrace.steps.run_report.parts import failures, first_failure, outcome, timings
from millrace.steps.run_report.record import Failure, RunRecord, TaskRecord
from tests.steps.transforming import problem_named

PROBLEM = problem_named("sections")
RECEIPT = {
    "rows_read": 100,
    "rows_valid": 90,
    "rows_quarantined": 10,
    "rows_superseded": 5,
    "by_reason": {"range:size": 7, "pattern:phone": 3, "rule:size<=phone": 1},
    "file_count": 1,
    "files": ["a.csv"],
}
VERDICT = Failure(problem="The check failed", is_verdict=True, found="50 %", expected="≤ 25 %", fix="reject it")


def record(*tasks: TaskRecord, **results: Any) -> RunRecord:
    return RunRecord(problem="p", stage="transform", run_id="r", trigger="by hand", tasks=tasks, results=results)


def failed(task_id: str, failure: Failure | None = None) -> TaskRecord:
    return TaskRecord(task_id=task_id, state="failed", seconds=2.0, failure=failure)


def shown(sections: list[Section]) -> str:
    return render(Page("t", "s", "o", "plain", "v", sections=tuple(sections)))


def test_reasons_about_a_sensitive_column_are_named_and_not_counted() -> None:
    (section,) = rows_of(PROBLEM, record(), RECEIPT)
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    told = {reason.words: cell for reason, cell in table.rows if isinstance(reason, Text)}
    assert told["range:size"] == Bar(1.0, "7", "bad")
    assert told["pattern:phone"] == told["rule:size<=phone"] == Text(HIDDEN, "muted")


def test_the_rows_of_a_batch_add_up_to_what_was_read() -> None:
    (section,) = rows_of(PROBLEM, record(quality_check_silver_data={}), RECEIPT)
    (parts,) = [block for block in section.blocks if isinstance(block, Parts)]
    assert parts.whole == RECEIPT["rows_read"]
    assert parts.parts[0][:2] == (f"into silver.{PROBLEM.source_name}", 85)


def test_rows_that_no_reader_sees_are_not_said_to_be_in_silver() -> None:
    assert "valid, and not published" in shown(rows_of(PROBLEM, record(), RECEIPT))


def test_a_batch_that_was_not_compared_says_why() -> None:
    assert "3 rows came" in shown(drift_of({"note": "3 rows came", "columns": []}))
    assert drift_of({}) == []


@pytest.mark.parametrize(
    ("tasks", "word"),
    [
        ((), "published"),
        ((failed("check", VERDICT),), "refused"),
        ((failed("load"),), "failed"),
        ((failed("load", Failure(problem="ValueError")), failed("check", VERDICT)), "failed"),
    ],
)
def test_the_first_failure_decides_the_word(tasks: tuple[TaskRecord, ...], word: str) -> None:
    assert outcome(record(*tasks), "published")[0] == word


def test_a_verdict_is_told_part_by_part() -> None:
    run = record(failed("check", VERDICT))
    told = shown(failures(run))
    assert "Why it was refused" in told
    for part in ("check: The check failed", "50 %", "≤ 25 %", "reject it"):
        assert part in told
    assert first_failure(run) == "The check failed: 50 %."


def test_a_task_that_was_killed_left_no_word() -> None:
    run = record(failed("load"))
    assert first_failure(run) == "The task load failed."
    assert "before it could say why" in shown(failures(run))


def test_a_task_that_never_began_has_no_time() -> None:
    told = shown([timings(record(failed("load"), TaskRecord(task_id="then", state="upstream_failed", seconds=0.0)))])
    assert "2.0 s" in told
    assert "0.0 s" not in told
    assert "upstream failed" in told
