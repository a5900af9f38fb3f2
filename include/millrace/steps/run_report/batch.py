"""Sections about a batch: its rows, what the checks found, how it differs from what was there."""

import json
import re
from typing import Any

from millrace.adapters import object_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.reporting.page import Bar, Block, Cell, Facts, Link, Parts, Section, Spread, Table, Text, Tone, Words
from millrace.settings import get_settings
from millrace.steps.run_report.parts import code, number, passed_or_not, plural
from millrace.steps.run_report.record import RunRecord

REASONS_SHOWN = 10
HIDDEN = "not told: the column is sensitive"


def rows_of(problem: Problem, record: RunRecord, receipt: dict[str, Any]) -> list[Section]:
    if not receipt:
        return []
    reached = "quality_check_silver_data" in record.results
    kept = receipt["rows_valid"] - receipt["rows_superseded"]
    parts: tuple[tuple[str, int, Tone], ...] = (
        (f"into {names.silver(problem.source_name)}" if reached else "valid, and not published", kept, "good"),
        ("gave way to another row of their key", receipt["rows_superseded"], "muted"),
        ("quarantined", receipt["rows_quarantined"], "bad"),
    )
    blocks: list[Block] = [Parts(parts)]
    by_reason = sorted(receipt["by_reason"].items(), key=lambda pair: (-pair[1], pair[0]))
    if by_reason:
        most, hidden = by_reason[0][1], _hidden(problem)
        told = tuple(
            (code(reason), Text(HIDDEN, "muted") if _about(reason) & hidden else Bar(rows / most, f"{rows:,}", "bad"))
            for reason, rows in by_reason
        )
        head = ("reason for quarantine", "rows (a row with two reasons counts in both)")
        blocks.append(Table(head, told[:REASONS_SHOWN]))
        if rest := told[REASONS_SHOWN:]:
            blocks.append(Table(head, rest, fold=f"{plural(len(rest), 'reason')} more"))
    return [Section("Rows", tuple(blocks))]


def checks_of(problem: Problem, record: RunRecord) -> list[Section]:
    blocks: list[Block] = []
    hidden = _hidden(problem)
    for layer in ("silver", "gold"):
        bucket, folder = get_settings().reports_bucket, names.data_docs(problem.problem, layer, record.run_id)
        if object_store.head(bucket, f"{folder}/verdict.json") is None:
            continue
        findings = json.loads(object_store.get(bucket, f"{folder}/verdict.json"))["findings"]
        broken = [one for one in findings if not one["passed"]]
        url = f"{get_settings().s3_url}/{bucket}/{folder}/index.html"
        said = f"{len(findings) - len(broken)} of {len(findings)} rules hold"
        accepted = record.result(f"quality_check_{layer}_data").get("accepted")
        if accepted:
            said += f"; a person accepted the batch nevertheless ({accepted})"
        blocks.append(
            Facts((((f"{layer}"), Text(said, "bad" if broken else "good")), ("Data Docs", Link("every figure", url))))
        )
        head = ("", "rule", "observed", "limit")
        if broken:
            blocks.append(Table(head, tuple(_finding(one, hidden) for one in broken)))
        held = tuple(_finding(one, hidden) for one in findings if one["passed"])
        if held:
            blocks.append(Table(head, held, fold=f"The {plural(len(held), 'rule')} of {layer} that hold"))
    return [Section("Checks", tuple(blocks))] if blocks else []


def _finding(one: dict[str, Any], hidden: set[str]) -> tuple[Cell, ...]:
    is_hidden = bool({one["column"], *_about(one["rule"])} & hidden)
    observed: Cell = Text(HIDDEN, "muted") if is_hidden else str(one["observed"])
    limit: Cell = Text("–", "muted") if is_hidden else str(one["limit"])
    return passed_or_not(one["passed"]), code(one["rule"]), observed, limit


def drift_of(drift: dict[str, Any]) -> list[Section]:
    if not drift:
        return []
    if not drift["columns"]:
        return [Section("Drift", (Words(drift["note"], "muted"),))]
    rows: list[tuple[Cell, ...]] = []
    for one in drift["columns"]:
        tone: Tone = "bad" if one["drifted"] else "plain"
        shares = tuple(one["before"]), tuple(one["now"])
        said = Text("moved", "warn") if one["drifted"] else Text("as before", "muted")
        spread = Spread(tuple(one["bins"]), *shares, tone=tone)
        rows.append((said, code(one["column"]), number(one["score"]), number(one["threshold"]), spread))
    words = (
        f"{drift['note']}. Above the threshold, which unchanged rows exceed in one batch of two hundred, a column is "
        "spread otherwise. Drift refuses nothing: it is told, and judged by people."
    )
    head = ("", "column", "PSI", "threshold", "share of the rows, bin by bin: before (pale), now")
    return [Section("Drift of this batch", (Words(words), Table(head, tuple(rows))))]


def _hidden(problem: Problem) -> set[str]:
    """Columns of which nothing is told but whether a rule held: a count of few rows may tell of one person."""
    hidden = {name for name, column in problem.columns().items() if column.sensitive}
    return hidden | {"row_key"} if hidden & set(problem.source.primary_key) else hidden


def _about(rule: str) -> set[str]:
    """The columns that a rule or a reason names: one of two columns names both."""
    return set(re.findall(r"\w+", rule.partition(":")[2]))
