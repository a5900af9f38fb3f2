"""The checkpoint of silver: only what passes becomes visible."""

from typing import Any

from pyspark.sql import SparkSession

from expectations.suites import silver_suite
from expectations.verdict import Finding
from millrace.adapters import lake
from millrace.contract.problem import Problem
from millrace.steps.quality_check import pass_or_drop
from millrace.steps.written import already_published, branch_of
from spark_jobs.fenced_write import read_at


def check_silver_data(spark: SparkSession, problem: Problem, transformed: dict[str, Any]) -> dict[str, Any]:
    """Check the branch that `transform_data` wrote, and publish it.

    Args:
        transformed: What `transform_data` returned.

    Returns:
        table, snapshot_id (of main), changed; and of a check that ran: rules, data_docs, data_docs_uri.

    Raises:
        VerdictError: If a rule or a limit is broken; the branch is dropped and readers keep what they had.
        LostRaceError: If another attempt published first.
    """
    told = {name: transformed[name] for name in ("table", "snapshot_id", "changed")}
    if already_published(transformed):
        return told
    branch = branch_of(transformed)
    rows = read_at(spark, branch.table, transformed["snapshot_id"]).where("NOT deleted")
    before = lake.count(branch.table, branch.base, where="deleted == false")
    suite = silver_suite(problem, rows_before=before)
    batch = [quarantined_share(problem, transformed["receipt"])]
    told |= pass_or_drop(problem, transformed, rows, suite, stage="silver", batch=batch)
    return told | {"snapshot_id": lake.publish(branch)}


def quarantined_share(problem: Problem, receipt: dict[str, Any]) -> Finding:
    """How much of the batch was quarantined, against the limit."""
    read, limit = receipt["rows_read"], problem.source.quality.max_quarantined_share
    share = receipt["rows_quarantined"] / read if read else 0.0
    observed = f"{share:.1%} ({receipt['rows_quarantined']} of {read} rows)"
    return Finding("batch:max_quarantined_share", None, observed, f"≤ {limit:.1%}", share <= limit)
