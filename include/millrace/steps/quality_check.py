"""The checkpoint between a branch and main: run it, keep its Data Docs, and let nothing pass that broke a rule."""

import json
import re
from collections.abc import Sequence
from typing import Any

from great_expectations.expectations.expectation import Expectation
from pyspark.sql import DataFrame

from expectations.checkpoints import check
from expectations.data_docs import render_page
from expectations.verdict import Finding, refusal
from millrace.adapters import lake, object_store
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.phase import phase
from millrace.steps.written import branch_of


def pass_or_drop(
    problem: Problem,
    written: dict[str, Any],
    rows: DataFrame,
    suite: Sequence[Expectation],
    *,
    stage: str,
    batch: Sequence[Finding] = (),
) -> dict[str, Any]:
    """Check what an attempt wrote.

    Args:
        written: table, branch, base and run_id of the attempt.
        batch: Findings about the batch that the table's rows do not show.

    Returns:
        rules (how many were checked), data_docs (HTTP address), data_docs_uri.

    Raises:
        VerdictError: If a rule is broken. The branch is then gone.
    """
    sensitive = frozenset(name for name, column in problem.columns().items() if column.sensitive)
    if sensitive & set(problem.source.primary_key):
        sensitive |= {"row_key"}
    with phase(f"check {written['table']}") as told:
        checked = check(f"{problem.problem} {stage}", rows, suite, sensitive, written["run_id"])
        verdict = checked.verdict.and_also(batch)
        docs = _keep_docs(problem, stage, written["run_id"], render_page(checked.result, verdict), verdict.as_json())
        told |= {"rules": len(verdict.findings), "broken": len(verdict.broken), "docs": docs["data_docs"]}
    if not verdict.passed:
        lake.drop_branch(branch_of(written))
        place = f"table {written['table']}, branch {written['branch']}"
        raise refusal(verdict, place=place, docs=docs["data_docs"])
    return {"rules": len(verdict.findings), **docs}


def _keep_docs(problem: Problem, stage: str, run_id: str, page: str, verdict: dict[str, Any]) -> dict[str, str]:
    settings = get_settings()
    folder = f"data-docs/{problem.problem}/{stage}/{re.sub(r'[^A-Za-z0-9.-]+', '_', run_id)}"
    object_store.put(settings.reports_bucket, f"{folder}/index.html", page.encode(), "text/html; charset=utf-8")
    told = json.dumps(verdict, indent=1).encode()
    object_store.put(settings.reports_bucket, f"{folder}/verdict.json", told, "application/json")
    path = f"{settings.reports_bucket}/{folder}/index.html"
    return {"data_docs": f"{settings.s3_url}/{path}", "data_docs_uri": f"s3://{path}"}
