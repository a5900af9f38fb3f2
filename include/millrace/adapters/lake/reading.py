"""Looking at tables: heads and their properties, pinned reads, fingerprints."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.table import DataScan, Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import PrimitiveType

from millrace.adapters.lake.tables import catalog

MAIN = "main"


@dataclass(frozen=True)
class Head:
    """A snapshot, as metadata tells it. `properties` is its summary."""

    snapshot_id: int
    parent_id: int | None
    timestamp_ms: int
    properties: dict[str, str]


def head(table: str, ref: str = MAIN) -> Head | None:
    """The newest snapshot of a branch or tag; None if there is no such table, ref or snapshot."""
    try:
        loaded = catalog().load_table(table)
    except NoSuchTableError:
        return None
    found = loaded.snapshot_by_name(ref)
    return None if found is None else describe(found)


def snapshot(table: str, snapshot_id: int) -> Head | None:
    """A snapshot by its id, of whatever branch; None if there is no such table, or the snapshot has expired."""
    try:
        found = catalog().load_table(table).snapshot_by_id(snapshot_id)
    except NoSuchTableError:
        return None
    return None if found is None else describe(found)


def history(table: str, ref: str = MAIN) -> Iterator[Head]:
    """The snapshots of a ref, the newest first, as far as they have not expired; none if there is no such table."""
    try:
        loaded = catalog().load_table(table)
    except NoSuchTableError:
        return
    start = loaded.snapshot_by_name(ref)
    if start is not None:
        yield from map(describe, ancestors(loaded, start.snapshot_id))


def newest_with(table: str, prop: str, ref: str = MAIN) -> Head | None:
    """The newest snapshot of a ref's history that carries a property; None if none does."""
    return next((found for found in history(table, ref) if prop in found.properties), None)


def published_at(table: str) -> dict[int, datetime]:
    """Snapshot → when it became the head of main, which is later than when it was written to its branch."""
    try:
        log = catalog().load_table(table).metadata.snapshot_log
    except NoSuchTableError:
        return {}
    return {entry.snapshot_id: datetime.fromtimestamp(entry.timestamp_ms / 1000, UTC) for entry in log}


def read(
    table: str,
    *,
    snapshot_id: int | None = None,
    ref: str | None = None,
    columns: tuple[str, ...] | None = None,
    where: str | None = None,
    limit: int | None = None,
) -> pa.Table:
    """Read rows of one snapshot: by id, or the head of a ref, or the head of main.

    Args:
        where: A filter in pyiceberg's expression language, such as `record == 'file'`.
        limit: At most this many of them, whichever come first.
    """
    return _scan(table, snapshot_id, ref, columns, where).update(limit=limit).to_arrow()


def read_batches(
    table: str,
    *,
    snapshot_id: int | None = None,
    ref: str | None = None,
    columns: tuple[str, ...] | None = None,
    where: str | None = None,
) -> Iterator[pa.RecordBatch]:
    """Like `read`, in batches. Whole files are held in memory, several at a time: pyiceberg reads ahead."""
    yield from _scan(table, snapshot_id, ref, columns, where).to_arrow_batch_reader()


def read_appended(table: str, *, ref: str, columns: tuple[str, ...], where: str) -> Iterator[pa.RecordBatch]:
    """Rows of a table that is only ever appended to, a small batch at a time, however large its files are.

    Args:
        where: Decides by a file's statistics; of a file that may match, every row is read.
    """
    loaded = catalog().load_table(table)
    for task in _scan(table, None, ref, columns, where).plan_files():
        with loaded.io.new_input(task.file.file_path).open() as stream:
            yield from pq.ParquetFile(stream).iter_batches(columns=list(columns))


def column_names(table: str) -> tuple[str, ...]:
    return tuple(field.name for field in catalog().load_table(table).schema().fields)


def column_types(table: str) -> dict[str, str]:
    """Name → type of the columns in which the rows of main were written; none if there is no such table."""
    if not catalog().table_exists(table):
        return {}
    loaded = catalog().load_table(table)
    head = loaded.snapshot_by_name(MAIN)
    schema = loaded.schemas()[head.schema_id] if head and head.schema_id is not None else loaded.schema()
    # Structs hold the table's own field ids, which say nothing.
    kinds = {field.name: field.field_type for field in schema.fields}
    return {name: str(kind) if isinstance(kind, PrimitiveType) else "struct" for name, kind in kinds.items()}


def table_uuid(table: str) -> str:
    """What tells a table from another of the same name."""
    return str(catalog().load_table(table).metadata.table_uuid)


def _scan(
    table: str, snapshot_id: int | None, ref: str | None, columns: tuple[str, ...] | None, where: str | None
) -> DataScan:
    loaded = catalog().load_table(table)
    if snapshot_id is None:
        found = loaded.snapshot_by_name(ref or MAIN)
        snapshot_id = found.snapshot_id if found else None
    return loaded.scan(
        row_filter=where if where is not None else AlwaysTrue(),
        selected_fields=columns or ("*",),
        snapshot_id=snapshot_id,
    )


def count(table: str, snapshot_id: int | None = None, where: str | None = None) -> int:
    """The number of rows of a snapshot, by default of main; with `where`, of those that match (pyiceberg's syntax).

    Not pyiceberg's count: that reads every column of a file of which rows were deleted. Without `where` no file of rows
    is read at all.
    """
    loaded = catalog().load_table(table)
    if where is not None:
        said = set(re.findall(r"\w+", where))
        fields = tuple(field.name for field in loaded.schema().fields if field.name in said)
        return loaded.scan(where, snapshot_id=snapshot_id, selected_fields=fields).count()
    tasks = list(loaded.scan(snapshot_id=snapshot_id).plan_files())
    deleted = {one.file_path: _deleted_by(loaded, one.file_path) for task in tasks for one in task.delete_files}
    return sum(
        task.file.record_count - sum(deleted[one.file_path][task.file.file_path] for one in task.delete_files)
        for task in tasks
    )


def _deleted_by(loaded: Table, path: str) -> Counter[str]:
    """File → how many of its rows a file of deletes names. No two name the same row: it was gone for the second."""
    with loaded.io.new_input(path).open() as stream:
        files = pq.read_table(stream, columns=["file_path"]).column(0)
    return Counter({one["values"]: one["counts"] for one in files.value_counts().to_pylist()})


def fingerprint(table: str, columns: tuple[str, ...]) -> str:
    """SHA-256 of the rows at main, the same for any order of rows and of map entries."""
    rows = read(table, columns=columns)
    told = sorted(json.dumps([_plain(row[name]) for name in columns], default=str) for row in rows.to_pylist())
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _plain(value: Any) -> Any:
    # Arrow tells a map as a list of pairs.
    is_map = isinstance(value, list) and value and all(isinstance(pair, tuple) for pair in value)
    return sorted(value) if is_map else value


def describe(snapshot: Snapshot) -> Head:
    """A snapshot in our words."""
    summary = dict(snapshot.summary.additional_properties) if snapshot.summary else {}
    return Head(snapshot.snapshot_id, snapshot.parent_snapshot_id, snapshot.timestamp_ms, summary)


def ancestors(loaded: Table, start: int) -> Iterator[Snapshot]:
    """A snapshot and those before it, the newest first, as far as they have not expired."""
    by_id = {snapshot.snapshot_id: snapshot for snapshot in loaded.metadata.snapshots}
    at: int | None = start
    while at is not None and at in by_id:
        yield by_id[at]
        at = by_id[at].parent_snapshot_id
