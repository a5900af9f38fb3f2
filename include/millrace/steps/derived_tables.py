"""The tables derived from bronze: their schemas, and making them fit the contract of today."""

from collections.abc import Iterable, Iterator
from itertools import count

from pyiceberg.schema import Schema
from pyiceberg.types import (
    BooleanType,
    DoubleType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

from millrace.adapters import lake
from millrace.adapters.lake.evolution import fit_columns
from millrace.contract import names
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.contract.source import Column, ColumnType, Source

_TYPES: dict[ColumnType, IcebergType] = {
    "string": StringType(),
    "integer": LongType(),
    "number": DoubleType(),
    "boolean": BooleanType(),
    "timestamp": TimestamptzType(),
}

_MERGE_ON_READ = {
    # A MERGE then writes what changed beside what stays, instead of every file that holds a changed row.
    **{f"write.{operation}.mode": "merge-on-read" for operation in ("merge", "update", "delete")},
    # And writes rows where they are: by default all that are new are sent to one task, and sorted.
    "write.merge.distribution-mode": "none",
    "write.spark.fanout.enabled": "true",
}

_POSITION = (
    ("input_rank", IntegerType()),
    ("epoch", StringType()),
    ("major", LongType()),
    ("path", StringType()),
    ("minor", LongType()),
)


def ensure_silver(problem: Problem) -> str:
    """Create `silver.<source>`, or give it the columns of today's contract."""
    return _ensure(names.silver(problem.source_name), silver_schema(problem.source))


def has_its_columns(problem: Problem) -> bool:
    """Whether the rows of silver, where it is there, were written with every column that this version gives it."""
    there = lake.column_types(names.silver(problem.source_name))
    return not there or {field.name for field in silver_schema(problem.source).fields} <= there.keys()


def demand_columns(problem: Problem) -> None:
    """
    Raises:
        VerdictError: If silver was written by a version of Millrace that gave it other columns, and not again since.
    """
    if not has_its_columns(problem):
        raise VerdictError(
            "This version of Millrace gives silver other columns than it has",
            place=f"table {names.silver(problem.source_name)}",
            found="rows that an earlier version wrote",
            expected="rows with every column of this version",
            fix="let transform run: it builds silver anew, once",
        )


def ensure_quarantine(problem: Problem) -> str:
    """Create `quarantine.<source>`."""
    return _ensure(names.quarantine(problem.source_name), quarantine_schema())


def ensure_gold(problem: Problem) -> str:
    """Create `gold.<problem>`, or give it the columns of today's contract."""
    return _ensure(names.gold(problem.problem), gold_schema(problem))


def silver_schema(source: Source) -> Schema:
    """Key, time, every column of the contract, the positions that decide merging, and what became of the row."""
    ids = count(1)
    columns = {name: column for name, column in source.columns.items() if name != "event_timestamp"}
    # counts_from: the newest insert or delete that a change told of; first_early: known before the row's own event.
    positions = ("first_position", "last_position", "label_position", "counts_from", "newest_change")
    return Schema(
        *_fields(ids, (("row_key", StringType()), ("event_timestamp", TimestamptzType()))),
        *_fields(ids, _typed(columns)),
        *_fields(ids, ((name, _position(ids)) for name in positions)),
        *_fields(ids, (("first_early", BooleanType()), ("changed_seq", LongType()), ("deleted", BooleanType()))),
        *_fields(
            ids, (("stale_since", TimestamptzType()), ("contract_hash", StringType()), ("source_file", StringType()))
        ),
    )


def quarantine_schema() -> Schema:
    """A row that broke its contract: its origin, why, and what it said. Unique on position and contract hash."""
    ids = count(1)
    reasons = ListType(next(ids), StringType(), element_required=False)
    fields = MapType(next(ids), StringType(), next(ids), StringType(), value_required=False)
    return Schema(
        *_fields(ids, (("position", _position(ids)), ("path", StringType()), ("row_number", LongType()))),
        *_fields(ids, (("row_key", StringType()), ("reasons", reasons), ("fields", fields), ("raw", StringType()))),
        *_fields(ids, (("contract_hash", StringType()), ("quarantined_at", TimestamptzType()))),
        *_fields(ids, (("run_id", StringType()), ("known_at", TimestamptzType()))),
    )


def gold_schema(problem: Problem) -> Schema:
    """Key, time, every column that is not sensitive, the label (1 = positive, null = unknown), gold_seq."""
    ids = count(1)
    return Schema(
        *_fields(ids, (("row_key", StringType()), ("event_timestamp", TimestamptzType()))),
        *_fields(ids, _typed(problem.gold_columns())),
        *_fields(ids, (("label", IntegerType()), ("gold_seq", LongType()))),
    )


def _ensure(table: str, schema: Schema) -> str:
    lake.ensure_table(table, schema, properties=_MERGE_ON_READ)
    fit_columns(table, schema)
    return table


def _typed(columns: dict[str, Column]) -> Iterator[tuple[str, IcebergType]]:
    return ((name, _TYPES[column.type]) for name, column in columns.items())


def _fields(ids: Iterator[int], columns: Iterable[tuple[str, IcebergType]]) -> list[NestedField]:
    # Ids only have to differ: the catalog gives each field its own when it creates the table.
    return [NestedField(next(ids), name, kind, required=False) for name, kind in columns]


def _position(ids: Iterator[int]) -> StructType:
    return StructType(*_fields(ids, _POSITION))
