"""The checkpoint of gold: what does not pass never becomes visible."""

from typing import Any

from pyspark.sql import SparkSession

from expectations.suites import gold_suite
from millrace.adapters import lake
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.steps.quality_check import pass_or_drop
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
    rows = read_at(spark, built["table"], built["snapshot_id"])
    suite = gold_suite(problem, rows_before=lake.count(built["table"], built["base"]))
    try:
        return told | pass_or_drop(problem, built, rows, suite, stage="gold")
    except VerdictError:
        if checked and checked["branch"]:
            lake.drop_branch(branch_of(checked))
        raise
