"""The bronze table of a source's files: its schema, and raw rows and markers as Arrow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pyarrow as pa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, MapType, NestedField, StringType, TimestamptzType

from millrace.domain.assigned_keys import AssignKeys
from millrace.domain.raw_rows import RawRow

SCHEMA = Schema(
    NestedField(1, "record", StringType(), required=True, doc="row, or file: the marker of a file"),
    NestedField(2, "path", StringType(), required=True),
    NestedField(3, "etag", StringType(), required=True),
    NestedField(4, "size", LongType(), required=True, doc="bytes of the file"),
    NestedField(5, "last_modified", TimestamptzType(), required=True),
    NestedField(6, "status", StringType(), doc="of a marker: ingested or set_aside"),
    NestedField(7, "detail", StringType(), doc="of a marker: why the file was set aside"),
    NestedField(8, "rows", LongType(), doc="of a marker: rows of the file in this table"),
    NestedField(9, "row_number", LongType(), doc="data row of the file, from 1"),
    NestedField(10, "fields", MapType(16, StringType(), 17, StringType(), value_required=False)),
    NestedField(11, "malformed", StringType(), doc="why the row has no fields"),
    NestedField(12, "raw", StringType(), doc="text of a malformed row"),
    NestedField(13, "assigned_key", StringType()),
    NestedField(14, "ingested_at", TimestamptzType(), required=True),
    NestedField(15, "run_id", StringType(), required=True),
)
# Markers apart from rows: what is known of files is then read without reading a row.
PARTITION = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "record"))
ARROW: pa.Schema = SCHEMA.as_arrow()

# Snapshot properties of an ingestion: the Airflow run, and how many files and rows it brought.
RUN_ID = "millrace.run-id"
FILES = "millrace.files"
ROWS = "millrace.rows"


@dataclass(frozen=True)
class LandedFile:
    """One landing of a file under the landing prefix: a file that is replaced, or put back, lands again."""

    path: str
    etag: str
    size: int
    last_modified: datetime


@dataclass(frozen=True)
class Origin:
    """What every record of one attempt carries."""

    ingested_at: datetime
    run_id: str


def rows_to_arrow(
    file: LandedFile,
    header: Sequence[str],
    rows: Sequence[RawRow],
    assign_keys: AssignKeys | None,
    origin: Origin,
) -> pa.Table:
    """Raw rows of one file, in their order."""
    keys = assign_keys([row.values for row in rows]) if assign_keys else [None] * len(rows)
    columns = {
        "row_number": pa.array([row.number for row in rows], pa.int64()),
        "fields": _fields(header, rows),
        "malformed": [row.malformed for row in rows],
        "raw": [row.raw for row in rows],
        "assigned_key": keys,
    }
    return _table("row", [file] * len(rows), columns, origin)


def markers_to_arrow(
    files: Sequence[LandedFile],
    statuses: Sequence[Literal["ingested", "set_aside"]],
    details: Sequence[str | None],
    rows: Sequence[int],
    origin: Origin,
) -> pa.Table:
    """One marker a file: that it was seen, and what became of it."""
    return _table("file", files, {"status": statuses, "detail": details, "rows": rows}, origin)


def _fields(header: Sequence[str], rows: Sequence[RawRow]) -> pa.Array:
    """The values as maps of header to value; null for a malformed row."""
    whole = [row.values for row in rows if row.values is not None]
    ends, end = [], 0
    for row in rows:
        ends.append(None if row.values is None else end)
        end += len(header) if row.values is not None else 0
    offsets = pa.array([*ends, end], pa.int32())
    kind = ARROW.field("fields").type
    names = pa.array(list(header) * len(whole), kind.key_type)
    values = pa.array([value for row in whole for value in row], kind.item_type)
    return pa.MapArray.from_arrays(offsets, names, values, type=kind)


def _table(record: str, files: Sequence[LandedFile], columns: dict[str, object], origin: Origin) -> pa.Table:
    size = len(files)
    known: dict[str, object] = {
        "record": [record] * size,
        "path": [file.path for file in files],
        "etag": [file.etag for file in files],
        "size": [file.size for file in files],
        "last_modified": [file.last_modified for file in files],
        "ingested_at": [origin.ingested_at] * size,
        "run_id": [origin.run_id] * size,
        **columns,
    }
    arrays = [
        pa.array(known[field.name], field.type) if field.name in known else pa.nulls(size, field.type)
        for field in ARROW
    ]
    return pa.Table.from_arrays(arrays, schema=ARROW)
