"""The checkpoint between a branch and main: run it, keep its Data Docs, and let nothing pass that broke a rule."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from great_expectations.expectations.expectation import Expectation
from pyspark.sql import DataFrame

from expectations.checkpoints import check
from expectations.data_docs import render_page
from expectations.verdict import Finding, refusal
from expectations.whole_table import whole_table
from millrace.adapters import lake, object_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.phase import phase
from millrace.steps.refused_batches import RefusedBatch, Stage, refuse, way_out
from millrace.steps.written import branch_of
from spark_jobs.whole_table import count_all, count_beside

log = logging.getLogger("millrace")


def pass_or_drop(
    problem: Problem,
    written: dict[str, Any],
    rows: DataFrame,
    suite: Sequence[Expectation],
    *,
    stage: Stage,
    findings: Sequence[Finding] = (),
) -> dict[str, Any]:
    """Check what an attempt wrote.

    Args:
        written: table, branch, base, run_id and span of the attempt; an attempt without a span takes no batch in, so
            nobody can accept what is refused of it.
        findings: What is known of the batch that the table's rows do not show.

    Returns:
        rules (how many were checked), data_docs (HTTP address), data_docs_uri; accepted, the batch, where a person
        let it through.

    Raises:
        VerdictError: If a rule is broken, and nobody has accepted the batch. The branch is then gone.
    """
    sensitive = frozenset(name for name, column in problem.columns().items() if column.sensitive)
    if sensitive & set(problem.source.primary_key):
        sensitive |= {"row_key"}
    with phase(f"check {written['table']}") as logged:
        checked = check(f"{problem.problem} {stage}", rows, suite, sensitive, written["run_id"])
        verdict = checked.verdict.and_also(findings)
        docs = _keep_docs(problem, stage, written["run_id"], render_page(checked.result, verdict), verdict.as_json())
        logged |= {"rules": len(verdict.findings), "broken": len(verdict.broken), "docs": docs["data_docs"]}
    told = {"rules": len(verdict.findings), **docs}
    if verdict.passed:
        return told
    why = "; ".join(f"{finding.rule}: {finding.observed}" for finding in verdict.broken)
    broken = [finding.rule for finding in verdict.broken]
    batch = None
    if "span" in written:
        batch = refuse(problem, stage, written, rules=broken, why=why, docs=docs["data_docs"])
    if batch is None or batch.state != "accepted":
        lake.drop_branch(branch_of(written))
        place = f"table {written['table']}, branch {written['branch']}"
        raise refusal(verdict, place=_place(place, batch), fix=_way_out(problem, batch, docs["data_docs"]))
    log.warning("batch %s passes: %s accepted it (%s), though %s", batch.batch, batch.actor, batch.reason, why)
    return told | {"accepted": batch.batch}


def _place(branch: str, batch: RefusedBatch | None) -> str:
    return f"batch {batch.batch}: {branch}" if batch else branch


def _way_out(problem: Problem, batch: RefusedBatch | None, docs: str) -> str:
    if batch:
        return way_out(problem, batch)
    return f"mend the contract, `millrace plan {problem.problem}` shows what that would change. The report is {docs}"


def judge_whole(
    problem: Problem, written: dict[str, Any], *, before: DataFrame, rows: DataFrame, of_run: DataFrame
) -> list[Finding]:
    """What the table must hold as a whole.

    Args:
        written: table and rebuilt of the attempt.
        before: Every row that the published table holds.
        rows: Every row that it would hold.
        of_run: Those of them that the attempt wrote.
    """
    with phase(f"count {written['table']}") as told:
        rows_before = before.count()
        counted = count_all(rows) if written["rebuilt"] or not rows_before else count_beside(rows, of_run)
        told["rows"] = counted.rows
    return whole_table(problem.source, rows=counted.rows, rows_before=rows_before, repeated=counted.repeated)


def _keep_docs(problem: Problem, stage: str, run_id: str, page: str, verdict: dict[str, Any]) -> dict[str, str]:
    settings = get_settings()
    folder = names.data_docs(problem.problem, stage, run_id)
    object_store.put(settings.reports_bucket, f"{folder}/index.html", page.encode(), "text/html; charset=utf-8")
    told = json.dumps(verdict, indent=1).encode()
    object_store.put(settings.reports_bucket, f"{folder}/verdict.json", told, "application/json")
    path = f"{settings.reports_bucket}/{folder}/index.html"
    return {"data_docs": f"{settings.s3_url}/{path}", "data_docs_uri": f"s3://{path}"}
