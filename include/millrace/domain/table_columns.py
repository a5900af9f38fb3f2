"""Columns of a Postgres table against those of the contract, and how their values stand in a file.

A column is typed in the file where Parquet's type holds each value of the database's. Where it does not (a timestamp
may be infinite or of the year 12026, a decimal NaN), it is text: then the contract judges such a row, as any other, and
none stops the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from millrace.contract.source import ColumnType, Source

INTEGERS = {"int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64()}
FLOATS = {"float4": pa.float32(), "float8": pa.float64()}
TIMES = ("timestamptz", "timestamp", "date")
TEXT = "S"
"""The category of types that are text."""
COMPOUND = ("A", "C", "P")
"""The categories of types whose values are several: arrays, rows; and of what is no type of a column."""


@dataclass(frozen=True)
class TableColumn:
    """A column, as the database's catalog tells it.

    Attributes:
        kind: Its type's name, such as timestamptz; of a domain, that which it is made of.
        category: The letter of its type's category.
        words: Its type for people, such as "timestamp with time zone".
        may_read: Whether our role may read it.
    """

    kind: str
    category: str
    words: str
    may_read: bool


def lacking(source: Source, table: Mapping[str, TableColumn]) -> list[str]:
    """Columns of the contract that the table lacks, and a file may not."""
    return [name for name in source.columns if name not in table and name not in source.optional_in_file()]


def retyped(source: Source, table: Mapping[str, TableColumn]) -> dict[str, str]:
    """Column → the type that it has, where that cannot be the contract's; of a watermark, where it has no order."""
    watermark = source.extract.watermark if source.extract else None
    return {
        name: table[name].words
        for name, column in source.columns.items()
        if name in table
        and not (_fits(table[name], column.type) and (name != watermark or _orders(table[name], column.type)))
    }


def file_type(column: TableColumn) -> pa.DataType:
    """The type of a column in the file."""
    return pa.bool_() if column.kind == "bool" else {**INTEGERS, **FLOATS}.get(column.kind, pa.string())


def _fits(column: TableColumn, wanted: ColumnType) -> bool:
    if wanted == "string":
        # No floats: an identifier that became one has lost its digits. As in a file.
        return column.kind not in (*FLOATS, "bool", "bytea") and column.category not in COMPOUND
    kinds: dict[ColumnType, tuple[str, ...]] = {
        "integer": (*INTEGERS, *FLOATS, "numeric"),
        "number": (*INTEGERS, *FLOATS, "numeric"),
        "boolean": ("bool", *INTEGERS),
        "timestamp": TIMES,
    }
    # Text may say anything: each row is judged.
    return column.category == TEXT or column.kind in kinds[wanted]


def _orders(column: TableColumn, wanted: ColumnType) -> bool:
    return column.kind in (TIMES if wanted == "timestamp" else INTEGERS)
