"""Drift of a batch: how its rows are spread, against the rows that the table held before."""

from dataclasses import asdict
from typing import Any

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.contract.source import ColumnType
from millrace.domain.drift import drift
from millrace.domain.features import Columns
from millrace.domain.reference import column_reference
from millrace.steps.column_values import as_values

MOST_ROWS = 50_000
"""Of either side. More make the same picture, and a table may have ten million."""
FEWEST_ROWS = 30


def batch_drift(problem: Problem, written: dict[str, Any]) -> dict[str, Any]:
    """Compare the rows that an attempt wrote to silver or gold with those before it, by its own snapshots.

    Both are read pinned, so the answer is the same however often it is asked, and also for a batch that was refused.
    Only columns are compared that a caller may send, and the label: keys are always new, and sensitive columns stay
    where they are.

    Args:
        written: table, snapshot_id, base and rebuilt; gold_seq or span of the attempt.

    Returns:
        note (why nothing was compared, or how), rows_before, rows_now, columns (each a `ColumnDrift`).
    """
    table, snapshot_id, base = str(written["table"]), written["snapshot_id"], written["base"]
    if written.get("rebuilt"):
        return _not_compared("Every row was judged again, so there is no batch to compare with what was there.")
    if lake.snapshot(table, snapshot_id) is None or lake.snapshot(table, base) is None:
        return _not_compared("The snapshots of this run have expired.")
    kinds = _kinds(problem, table)
    mark = _mark(problem, written)
    now = _rows(table, snapshot_id, kinds, mark)
    before = _rows(table, base, kinds, "" if "gold_seq" in written else "deleted == false")
    rows_now, rows_before = (len(next(iter(side.values()), ())) for side in (now, before))
    if min(rows_now, rows_before) < FEWEST_ROWS:
        found = f"{rows_now:,} rows came, {rows_before:,} were there"
        return _not_compared(f"{found}: at least {FEWEST_ROWS} of each are needed to compare them.")
    reference = {"rows": rows_before, "columns": {name: column_reference(values) for name, values in before.items()}}
    moved = drift(reference, now, seed=problem.training.seed)
    note = f"{rows_now:,} rows of this batch against {rows_before:,} that {table} held before"
    return {"note": note, "rows_before": rows_before, "rows_now": rows_now, "columns": [asdict(one) for one in moved]}


def _kinds(problem: Problem, table: str) -> dict[str, ColumnType]:
    there = set(lake.column_names(table))
    kinds: dict[str, ColumnType] = {
        name: column.type for name, column in problem.request_columns().items() if column.type != "timestamp"
    }
    label = problem.label_column
    if table == names.gold(problem.problem):
        kinds["label"] = "integer"
    elif label is not None and not problem.columns()[label].sensitive:
        kinds[label] = problem.columns()[label].type
    return {name: kind for name, kind in kinds.items() if name in there}


def _mark(problem: Problem, written: dict[str, Any]) -> str:
    """What tells the attempt's own rows in its snapshot."""
    if written["table"] == names.gold(problem.problem):
        return f"gold_seq == {int(written['gold_seq'])}"
    return f"changed_seq == {int(written['span']['sequence'])} and deleted == false"


def _rows(table: str, snapshot_id: int, kinds: dict[str, ColumnType], where: str) -> Columns:
    rows = lake.read(table, snapshot_id=snapshot_id, columns=tuple(kinds), where=where or None, limit=MOST_ROWS)
    return {name: as_values(rows[name], kind) for name, kind in kinds.items()}


def _not_compared(why: str) -> dict[str, Any]:
    return {"note": why, "rows_before": 0, "rows_now": 0, "columns": []}
