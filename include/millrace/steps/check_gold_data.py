"""The checkpoint of gold: what does not pass never becomes visible."""

from typing import Any

from pyspark.sql import SparkSession

from expectations.suites import gold_suite
from millrace.adapters import lake
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.steps.quality_check import judge_whole, pass_or_drop
from millrace.steps.written import already_published, branch_of
from spark_jobs.fenced_write import read_at


def check_gold_data(
    spark: SparkSession, problem: Problem, built: dict[str, Any], checked: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Check the branch that `build_gold_data` wrote. Publishing is a step of its own.

    Args:
        checked: What `check_silver_data` told: of a rebuilt silver, the branch that waits for gold.

    Returns:
        table, snapshot_id, changed; and of a check that ran: rules, data_docs, data_docs_uri.

    Raises:
        VerdictError: If a rule or a limit is broken; gold's branch, and silver's that waits, are dropped, and readers
            keep what they had.
    """
    told = {name: built[name] for name in ("table", "snapshot_id", "changed")}
    if already_published(built):
        return told
    before, rows = (read_at(spark, built["table"], built[one]) for one in ("base", "snapshot_id"))
    of_run = rows.where(f"gold_seq = {built['gold_seq']}")
    findings = judge_whole(problem, built, before=before, rows=rows, of_run=of_run)
    try:
        return told | pass_or_drop(problem, built, of_run, gold_suite(problem), stage="gold", findings=findings)
    except VerdictError:
        if checked and checked["branch"]:
            lake.drop_branch(branch_of(checked))
        raise
