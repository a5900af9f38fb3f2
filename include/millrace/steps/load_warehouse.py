"""Gold → the serving table of the warehouse, in one Postgres transaction."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from millrace.adapters import lake, warehouse
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.contract.source import ColumnType
from millrace.steps.recorded import GOLD_SEQ, to_load

POSTGRES_TYPES: dict[ColumnType, str] = {
    "string": "text",
    "integer": "bigint",
    "number": "double precision",
    "boolean": "boolean",
    "timestamp": "timestamp with time zone",
}
"""As information_schema spells them."""


def load_warehouse(problem: Problem) -> dict[str, Any]:
    """Bring the serving table to what gold's main holds. Readers see it before or after, never between.

    A row whose values are those that it had is not written: it keeps the `gold_seq` under which it was published.

    A load that comes late, behind one of a newer gold, changes nothing: that is no error.

    Returns:
        table, outcome (loaded, current or newer), gold_snapshot_id, gold_seq, upserted (rows that were written, not
        those that were as they should), deleted, rows.

    Raises:
        MillraceError: If there is no gold yet.
    """
    gold = names.gold(problem.problem)
    head, seq = to_load(gold, GOLD_SEQ)
    uuid = lake.table_uuid(gold)
    told = {
        "table": f"warehouse.{names.serving_table(problem.problem)}",
        "gold_snapshot_id": head.snapshot_id,
        "gold_seq": seq,
    }
    with warehouse.connect() as connection:
        before = warehouse.lock(connection, problem.problem)
        # Another table of the same name counts from the beginning; its numbers compare with nothing.
        if before is not None and before.gold_table_uuid != uuid:
            before = None
        if before and before.gold_seq > seq:
            return {**told, "outcome": "newer", "upserted": 0, "deleted": 0, "rows": before.rows}
        rebuilt = warehouse.ensure_serving_table(connection, problem.problem, _columns(problem))
        if before and before.gold_seq == seq and not rebuilt:
            # Perhaps another snapshot, but one that changed no data, such as a compaction.
            now = warehouse.Loaded(uuid, head.snapshot_id, seq, before.rows)
            warehouse.record(connection, problem.problem, now)
            return {**told, "outcome": "current", "upserted": 0, "deleted": 0, "rows": before.rows}
        since = before.gold_seq if before and not rebuilt else None
        upserted = _upsert(connection, problem, head.snapshot_id, since)
        deleted = _delete(connection, problem, head.snapshot_id)
        rows = warehouse.count(connection, problem.problem)
        warehouse.record(connection, problem.problem, warehouse.Loaded(uuid, head.snapshot_id, seq, rows))
    return {**told, "outcome": "loaded", "upserted": upserted, "deleted": deleted, "rows": rows}


def _columns(problem: Problem) -> dict[str, str]:
    """Name → Postgres type of the serving table's columns."""
    return {
        "row_key": "text",
        "event_timestamp": "timestamp with time zone",
        **{name: POSTGRES_TYPES[column.type] for name, column in problem.gold_columns().items()},
        "label": "integer",
        "gold_seq": "bigint",
        "gold_snapshot_id": "bigint",
        "loaded_at": "timestamp with time zone",
    }


def _upsert(connection: warehouse.Connection, problem: Problem, snapshot_id: int, since: int | None) -> int:
    columns = {name: kind for name, kind in _columns(problem).items() if name not in ("gold_snapshot_id", "loaded_at")}
    batches = lake.read_batches(
        names.gold(problem.problem),
        snapshot_id=snapshot_id,
        columns=tuple(columns),
        where=None if since is None else f"gold_seq > {since}",
    )
    warehouse.stage(connection, "staged_rows", columns, rows_of(batches, tuple(columns)))
    return warehouse.upsert(connection, problem.problem, "staged_rows", columns, gold_snapshot_id=snapshot_id)


def _delete(connection: warehouse.Connection, problem: Problem, snapshot_id: int) -> int:
    gold = names.gold(problem.problem)
    # Every key of gold is in the table by now, so equal counts mean equal keys.
    if warehouse.count(connection, problem.problem) == lake.count(gold, snapshot_id):
        return 0
    keys = lake.read_batches(gold, snapshot_id=snapshot_id, columns=("row_key",))
    warehouse.stage(connection, "staged_keys", {"row_key": "text"}, rows_of(keys, ("row_key",)))
    return warehouse.delete_missing(connection, problem.problem, "staged_keys")


def rows_of(batches: Iterator[pa.RecordBatch], columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Rows as tuples of these columns, in order."""
    for batch in batches:
        yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
