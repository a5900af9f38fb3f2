"""The report of a transform run: rows in and out, what the checks found, how the batch differs, where rows went."""

import json
from typing import Any

from millrace.adapters import champions, lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.reporting.page import Cell, Facts, Link, Page, Section, Stat, Text
from millrace.steps import recorded
from millrace.steps.run_report.batch import checks_of, drift_of, rows_of
from millrace.steps.run_report.batch_drift import batch_drift
from millrace.steps.run_report.parts import code, failures, first_failure, outcome, plural, timings
from millrace.steps.run_report.record import RunRecord, report_url


def measure(problem: Problem, record: RunRecord) -> dict[str, Any]:
    """What is measured once, when the run has ended: the drift of its batch, in gold if it came that far."""
    written = next((told for told in _written(record) if told.get("branch")), None)
    return {} if written is None else {"drift": batch_drift(problem, written)}


def transform_page(problem: Problem, record: RunRecord) -> Page:
    """The page, from the record and from what commits, checks and registrations say."""
    receipt, drift = _receipt(record), record.measured.get("drift", {})
    word, tone = outcome(record, "published")
    if not receipt and not record.failed:
        word, tone = "nothing new", "muted"
    return Page(
        title=problem.title,
        subtitle=f"{names.STAGES['transform']} · run report",
        outcome=word,
        tone=tone,
        verdict=_verdict(record, receipt),
        stats=_stats(record, receipt, drift),
        sections=(
            *failures(record),
            *rows_of(problem, record, receipt),
            *checks_of(problem, record),
            *drift_of(drift),
            Section(
                "Where the rows came from, and where they went",
                (Facts((*_up(record, receipt), *_down(problem, record))),),
            ),
            timings(record),
        ),
    )


def _written(record: RunRecord) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was written to gold, and to silver; the later first."""
    return record.result("build_gold_data"), record.result("transform_data")


def _receipt(record: RunRecord) -> dict[str, Any]:
    """The counts of the batch: as silver took it in, or as gold did where silver held it from an earlier run."""
    gold, silver = _written(record)
    if "receipt" in silver:
        return dict(silver["receipt"])
    if not gold.get("branch"):
        return {}
    commit = lake.snapshot(str(gold["table"]), gold["snapshot_id"])
    told: dict[str, Any] = json.loads(commit.properties.get(recorded.RECEIPT, "{}")) if commit else {}
    return told


def _verdict(record: RunRecord, receipt: dict[str, Any]) -> str:
    if record.failed:
        kept = "Readers of silver, gold and the warehouse keep what they had."
        return f"{first_failure(record)} {kept if record.is_refused else ''}".strip()
    if not receipt:
        return "Nothing was new: silver, gold and the warehouse already held what bronze has."
    files = plural(receipt.get("file_count", len(receipt["files"])), "file")
    told = f"{receipt['rows_valid']:,} of {receipt['rows_read']:,} rows from {files} kept their contract"
    broken = receipt["rows_quarantined"]
    rest = f"; {broken:,} broke it and are in quarantine." if broken else ", all of them."
    gold = record.result("publish_gold_data")
    return told + rest + (f" Gold changed in {plural(gold.get('changed', 0), 'row')}." if gold else "")


def _stats(record: RunRecord, receipt: dict[str, Any], drift: dict[str, Any]) -> tuple[Stat, ...]:
    if not receipt:
        return ()
    read, broken = receipt["rows_read"], receipt["rows_quarantined"]
    stats = [
        Stat("rows read", f"{read:,}", plural(receipt.get("file_count", len(receipt["files"])), "file")),
        Stat("valid", f"{receipt['rows_valid']:,}", f"{receipt['rows_superseded']:,} gave way to a row of their key"),
        Stat("quarantined", f"{broken:,}", f"{broken / read:.1%} of the rows read" if read else ""),
    ]
    if loaded := record.result("load_warehouse"):
        stats.append(Stat("rows served", f"{loaded['rows']:,}", "in the warehouse"))
    if columns := drift.get("columns"):
        moved = sum(one["drifted"] for one in columns)
        note = "spread as before" if not moved else "spread otherwise than before"
        stats.append(Stat("columns that moved", f"{moved} of {len(columns)}", note, "warn" if moved else "plain"))
    return tuple(stats)


def _up(record: RunRecord, receipt: dict[str, Any]) -> list[tuple[str, Cell]]:
    gold, silver = _written(record)
    files = list(receipt.get("files", ()))
    told: list[tuple[str, Cell]] = [("file", code(path)) for path in files]
    more = receipt.get("file_count", len(files)) - len(files)
    if more > 0:
        told.append(("", f"and {plural(more, 'file')} more"))
    if bronze := receipt.get("bronze_snapshot") or silver.get("span", {}).get("until"):
        told.append(("bronze", code(f"snapshot {bronze}")))
    for layer, written in (("silver", silver), ("gold", gold)):
        if written.get("snapshot_id"):
            state = "" if written.get("branch") is None else _where(str(written["table"]), written["snapshot_id"])
            told.append((layer, code(f"{written['table']} · snapshot {written['snapshot_id']}{state}")))
    return told


def _where(table: str, snapshot_id: int) -> str:
    published = any(head.snapshot_id == snapshot_id for head in lake.history(table))
    return "" if published else " · not published"


def _down(problem: Problem, record: RunRecord) -> list[tuple[str, Cell]]:
    told: list[tuple[str, Cell]] = []
    if loaded := record.result("load_warehouse"):
        counts = f"{loaded['upserted']:,} rows written, {loaded['deleted']:,} deleted, {loaded['rows']:,} there"
        told.append(("warehouse", f"{loaded['table']}: {loaded['outcome']}, {counts}"))
    if star := record.result("load_star_schema"):
        told.append(("star schema", f"{star['table']}: {star['outcome']}, {star['rows']:,} facts there"))
    snapshot_id = record.result("publish_gold_data").get("snapshot_id")
    trained: list[tuple[str, Cell]] = []
    for step in champions.transitions(problem.problem):
        detail = step.detail or {}
        if step.state == "registered" and snapshot_id and str(detail.get("gold_snapshot")) == str(snapshot_id):
            url = report_url(problem.problem, "train", str(detail["run_key"]))
            state = champions.state_of(problem.problem, step.version)
            trained.append(("model trained on it", Link(f"version {step.version}, {state}", url)))
    return [*told, *(trained or [("model trained on it", Text("none so far", "muted"))])]
