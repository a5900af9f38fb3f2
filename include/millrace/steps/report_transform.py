"""The report of a transform run: rows in and out, what the checks found, how the batch differs, where rows went."""

import json
import re
from typing import Any

from millrace.adapters import champions, lake, object_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.reporting.page import (
    Bar,
    Block,
    Cell,
    Facts,
    Link,
    Page,
    Parts,
    Section,
    Spread,
    Stat,
    Table,
    Text,
    Tone,
    Words,
)
from millrace.settings import get_settings
from millrace.steps import recorded, run_record
from millrace.steps.batch_drift import batch_drift
from millrace.steps.report_parts import (
    code,
    failures,
    first_failure,
    number,
    outcome,
    passed_or_not,
    plural,
    timings,
)
from millrace.steps.run_record import RunRecord

REASONS_SHOWN = 10
HIDDEN = "not told: the column is sensitive"


def measure(problem: Problem, record: RunRecord) -> dict[str, Any]:
    """What is measured once, when the run has ended: the drift of its batch, in gold if it came that far."""
    written = next((told for told in _written(record) if told.get("branch")), None)
    return {} if written is None else {"drift": batch_drift(problem, written)}


def report_transform(problem: Problem, record: RunRecord) -> Page:
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
            *_rows(receipt, problem),
            *_checks(problem, record),
            *_drift(drift),
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
        stats.append(Stat("rows served", f"{loaded['rows']:,}", str(loaded["table"])))
    if columns := drift.get("columns"):
        moved = sum(one["drifted"] for one in columns)
        note = "spread as before" if not moved else "spread otherwise than before"
        stats.append(Stat("columns that moved", f"{moved} of {len(columns)}", note, "warn" if moved else "plain"))
    return tuple(stats)


def _rows(receipt: dict[str, Any], problem: Problem) -> list[Section]:
    if not receipt:
        return []
    kept = receipt["rows_valid"] - receipt["rows_superseded"]
    parts: tuple[tuple[str, int, Tone], ...] = (
        (f"into {names.silver(problem.source_name)}", kept, "good"),
        ("gave way to another row of their key", receipt["rows_superseded"], "muted"),
        ("quarantined", receipt["rows_quarantined"], "bad"),
    )
    blocks: list[Block] = [Parts(parts)]
    by_reason = sorted(receipt["by_reason"].items(), key=lambda pair: (-pair[1], pair[0]))
    if by_reason:
        most = by_reason[0][1]
        told = tuple((code(reason), Bar(rows / most, f"{rows:,}", "bad")) for reason, rows in by_reason)
        head = ("reason for quarantine", "rows (a row with two reasons counts in both)")
        blocks.append(Table(head, told[:REASONS_SHOWN]))
        if rest := told[REASONS_SHOWN:]:
            blocks.append(Table(head, rest, fold=f"{plural(len(rest), 'reason')} more"))
    return [Section("Rows", tuple(blocks))]


def _checks(problem: Problem, record: RunRecord) -> list[Section]:
    blocks: list[Block] = []
    hidden = {name for name, column in problem.columns().items() if column.sensitive}
    if hidden & set(problem.source.primary_key):
        hidden |= {"row_key"}
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
    # A rule over two columns carries no column, but its name holds both.
    about = {one["column"], *re.findall(r"\w+", str(one["rule"]).partition(":")[2])}
    observed: Cell = Text(HIDDEN, "muted") if about & hidden else str(one["observed"])
    limit: Cell = Text("–", "muted") if about & hidden else str(one["limit"])
    return passed_or_not(one["passed"]), code(one["rule"]), observed, limit


def _drift(drift: dict[str, Any]) -> list[Section]:
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
    snapshot_id = record.result("publish_gold_data").get("snapshot_id")
    trained: list[tuple[str, Cell]] = []
    for step in champions.transitions(problem.problem):
        detail = step.detail or {}
        if step.state == "registered" and snapshot_id and str(detail.get("gold_snapshot")) == str(snapshot_id):
            url = run_record.report_url(problem.problem, "train", str(detail["run_key"]))
            state = champions.state_of(problem.problem, step.version)
            trained.append(("model trained on it", Link(f"version {step.version}, {state}", url)))
    return [*told, *(trained or [("model trained on it", Text("none so far", "muted"))])]
