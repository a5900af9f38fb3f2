"""The checkpoint of silver: only what passes becomes visible.

The rows that a run wrote are judged one by one; the others were when they came, by the same contract. Of the table as a
whole only what is cheap to read is asked.
"""

from typing import Any

from pyspark.sql import SparkSession

from expectations.suites import silver_suite
from expectations.verdict import Finding
from millrace.adapters import lake
from millrace.contract.problem import Problem
from millrace.steps import recorded
from millrace.steps.quality_check import judge_whole, pass_or_drop
from millrace.steps.written import already_published, branch_of
from spark_jobs.fenced_write import read_at

FILES_NAMED = 5
"""The worst files that a finding names; the batch's record lists all."""


def check_silver_data(spark: SparkSession, problem: Problem, transformed: dict[str, Any]) -> dict[str, Any]:
    """Check the branch that `transform_data` wrote, and publish it; a rebuilt silver waits, and is published with gold.

    Args:
        transformed: What `transform_data` returned.

    Returns:
        table, snapshot_id, changed; branch and base (None once it is published); and of a check that ran: rules,
        data_docs, data_docs_uri.

    Raises:
        VerdictError: If a rule or a limit is broken; the branch is dropped and readers keep what they had.
        LostRaceError: If another attempt published first.
    """
    told = {name: transformed[name] for name in ("table", "snapshot_id", "changed")} | {"branch": None, "base": None}
    if already_published(transformed):
        return told
    branch = branch_of(transformed)
    before, rows = (
        read_at(spark, branch.table, one).where("NOT deleted") for one in (branch.base, transformed["snapshot_id"])
    )
    of_run = rows.where(f"changed_seq = {recorded.of_silver(problem, branch.name).changed_seq}")
    findings = judge_whole(problem, transformed, before=before, rows=rows, of_run=of_run)
    # The rows of a replay, which has no span, were judged as part of the batch that they came with.
    findings += [quarantined_share(problem, transformed)] if "span" in transformed else []
    told |= pass_or_drop(problem, transformed, of_run, silver_suite(problem), stage="silver", findings=findings)
    if transformed["rebuilt"]:
        return told | {"branch": branch.name, "base": branch.base}
    return told | {"snapshot_id": lake.publish(branch)}


def quarantined_share(problem: Problem, transformed: dict[str, Any]) -> Finding:
    """How much of the batch was quarantined; and the files of which more was than the limit allows, if any."""
    receipt, over = transformed["receipt"], transformed["over_limit"]
    limit = problem.source.quality.max_quarantined_share
    whole = f"{_share(receipt['rows_quarantined'], receipt['rows_read'])}, no file above the limit"
    worst = [f"{path} {_share(quarantined, rows)}" for path, _, rows, quarantined in over[:FILES_NAMED]]
    more = f" and {len(over) - FILES_NAMED} files more" if len(over) > FILES_NAMED else ""
    observed = ", ".join(worst) + more if over else whole
    return Finding("batch:max_quarantined_share", None, observed, f"≤ {limit:.1%} of a file", not over)


def _share(quarantined: int, rows: int) -> str:
    return f"{quarantined / rows if rows else 0.0:.1%} ({quarantined} of {rows} rows)"
