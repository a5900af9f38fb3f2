"""Which types of a Postgres column can be the contract's, and how each stands in a file."""

import pyarrow as pa
import pytest

from millrace.contract.source import ColumnType, Source
from millrace.domain.table_columns import TableColumn, file_type, lacking, retyped

CATEGORIES = {"text": "S", "varchar": "S", "bool": "B", "uuid": "U", "jsonb": "U", "bytea": "U", "_text": "A"}
CATEGORIES |= dict.fromkeys(("timestamptz", "timestamp", "date", "time"), "D")
NUMBERS = ("int2", "int4", "int8", "float4", "float8", "numeric", "money")
EVERY = (*CATEGORIES, *NUMBERS)
FITS: dict[ColumnType, tuple[str, ...]] = {
    "string": tuple(kind for kind in EVERY if kind not in ("bool", "bytea", "_text", "float4", "float8")),
    "integer": ("int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar"),
    "number": ("int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar"),
    "boolean": ("bool", "int2", "int4", "int8", "text", "varchar"),
    "timestamp": ("timestamptz", "timestamp", "date", "text", "varchar"),
}


def column(kind: str) -> TableColumn:
    return TableColumn(kind, CATEGORIES.get(kind, "N"), kind, may_read=True)


def source(**columns: object) -> Source:
    own = {"id": {"type": "string"}, **columns}
    return Source.model_validate(
        {"format": "parquet", "primary_key": ["id"], "assigned_time": "file_modified", "columns": own}
    )


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("wanted", FITS)
def test_a_type_that_cannot_be_the_contract_s_is_told(wanted: ColumnType, kind: str) -> None:
    found = retyped(source(one={"type": wanted}), {"id": column("text"), "one": column(kind)})
    assert found == ({} if kind in FITS[wanted] else {"one": kind})


@pytest.mark.parametrize("kind", ["text", "numeric"])
def test_a_watermark_must_have_an_order_in_the_database(kind: str) -> None:
    content = source(one={"type": "integer"}).model_dump(exclude_defaults=True)
    told = Source.model_validate(content | {"extract": {"watermark": "one"}})
    assert retyped(told, {"id": column("text"), "one": column(kind)}) == {"one": kind}


def test_a_table_may_lack_what_a_file_may_lack() -> None:
    told = source(
        needed={"type": "string"},
        known={"type": "string", "nullable": True},
        more={"type": "string", "nullable": True, "optional": True},
    )
    assert lacking(told, {"id": column("text")}) == ["needed", "known"]


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        ("bool", pa.bool_()),
        ("int2", pa.int16()),
        ("int8", pa.int64()),
        ("float8", pa.float64()),
        ("numeric", pa.string()),
        ("timestamptz", pa.string()),
        ("date", pa.string()),
        ("uuid", pa.string()),
    ],
)
def test_what_parquet_s_type_may_not_hold_is_text(kind: str, typed: pa.DataType) -> None:
    assert file_type(column(kind)) == typed
