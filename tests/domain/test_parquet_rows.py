"""Parquet: its values become the text that the contract reads; what does not fit or is damaged is named."""

import contextlib
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.contract.source import Column, Source
from millrace.domain import parquet_rows
from millrace.domain.parquet_rows import open_parquet
from millrace.domain.raw_rows import RawRow, UnusableFileError

TYPES = ("string", "integer", "number", "boolean", "timestamp")
SOURCE = Source(
    format="parquet",
    assigned_key="row_content",
    assigned_time="file_modified",
    columns={kind: Column.model_validate({"type": kind, "nullable": True}) for kind in TYPES},
)
MOMENT = datetime(2026, 1, 31, 10, 20, 30, 5, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written(columns: dict[str, Any], **more: Any) -> io.BytesIO:
    """A file of these columns; those of the contract that are not given are null."""
    rows = max(len(values) for values in columns.values())
    table = pa.table({**{kind: pa.nulls(rows) for kind in TYPES}, **columns})
    file = io.BytesIO()
    pq.write_table(table, file, **more)
    file.seek(0)
    return file


def rows(file: io.BytesIO, source: Source = SOURCE) -> list[RawRow]:
    return list(open_parquet(file, source).rows)


def why_unusable(file: io.BytesIO, source: Source = SOURCE) -> str:
    with pytest.raises(UnusableFileError) as raised:
        rows(file, source)
    return str(raised.value)


@pytest.mark.parametrize(
    ("column", "values", "texts"),
    [
        ("string", pa.array(["x", "", None]), ["x", "", None]),
        ("string", pa.array(["x", "y", "x"]).dictionary_encode(), ["x", "y", "x"]),
        ("string", pa.array([7], pa.int64()), ["7"]),
        ("string", pa.array([date(2026, 1, 31)]), ["2026-01-31"]),
        ("integer", pa.array([2**63], pa.uint64()), [str(2**63)]),
        ("integer", pa.array([1.0, None, 1e17, 1.5]), ["1.0", None, "100000000000000000.0", "1.5"]),
        ("integer", pa.array([Decimal("0E-10")], pa.decimal128(20, 10)), ["0.0000000000"]),
        ("number", pa.array([0.1, 1e16, -0.0, float("nan")]), ["0.1", "1e+16", "-0", "nan"]),
        ("number", pa.array([0.1], pa.float32()), ["0.1"]),
        ("number", pa.array([Decimal("1.50")]), ["1.50"]),
        ("number", pa.array([3], pa.int8()), ["3"]),
        ("boolean", pa.array([True, False]), ["true", "false"]),
        ("boolean", pa.array([1, 0]), ["1", "0"]),
        ("timestamp", pa.array([MOMENT], pa.timestamp("us")), ["2026-01-31 10:20:30.000005"]),
        ("timestamp", pa.array([MOMENT], pa.timestamp("ns")), ["2026-01-31 10:20:30.000005"]),
        ("timestamp", pa.array([MOMENT], pa.timestamp("us", "Europe/Berlin")), ["2026-01-31 10:20:30.000005Z"]),
        ("timestamp", pa.array([date(2026, 1, 31)]), ["2026-01-31"]),
        ("timestamp", pa.array(["31.01.2026"]), ["31.01.2026"]),
    ],
    ids=str,
)
def test_values_become_the_text_that_the_contract_reads(column: str, values: pa.Array, texts: list[str | None]) -> None:
    opened = open_parquet(written({column: values}), SOURCE)
    place = opened.header.index(column)
    assert [row.values[place] for row in opened.rows if row.values] == texts


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("string", pa.array([1.0]), "string is double, and the contract says string"),
        ("string", pa.array([b"x"]), "string is binary, and the contract says string"),
        ("integer", pa.array([True]), "integer is bool, and the contract says integer"),
        ("number", pa.array([date(2026, 1, 31)]), "number is date32[day], and the contract says number"),
        ("boolean", pa.array([1.0]), "boolean is double, and the contract says boolean"),
        ("timestamp", pa.array([1769853600]), "timestamp is int64, and the contract says timestamp"),
        ("timestamp", pa.array([timedelta(1)]), "timestamp is duration[us], and the contract says timestamp"),
    ],
    ids=str,
)
def test_a_type_that_does_not_fit_is_named(column: str, values: pa.Array, told: str) -> None:
    assert why_unusable(written({column: values})) == told


def test_columns_are_found_under_what_the_file_calls_them_and_others_are_kept_if_they_are_text() -> None:
    columns = {"a_b": Column(type="integer", header="a.b"), "c": Column(type="string", nullable=True)}
    source = SOURCE.model_copy(update={"columns": columns})
    file = written({"a.b": pa.array([1]), "note": pa.array(["x"]), "list": pa.array([[1, 2]]), "c": pa.array(["y"])})
    opened = open_parquet(file, source)
    (row,) = opened.rows
    assert row.values is not None
    found = dict(zip(opened.header, row.values, strict=True))
    assert {name: found[name] for name in ("a_b", "c", "note")} == {"a_b": "1", "c": "y", "note": "x"}
    assert "list" not in found


def test_a_missing_column_is_named() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"String": ["x"]}), file)
    assert why_unusable(file).startswith('the header lacks string (is it "String"?), integer')


def test_a_nul_character_makes_a_row_malformed() -> None:
    first, second = rows(written({"string": pa.array(["a\0", "b"])}))
    assert first.values is None
    assert "NUL" in str(first.malformed)
    assert '"a\\u0000"' in str(first.raw)
    assert second.values is not None


def test_a_file_without_rows_has_none() -> None:
    assert rows(written({"string": pa.array([], pa.string())})) == []


def test_what_is_no_whole_parquet_file_is_unusable() -> None:
    content = written({"string": pa.array(["x"] * 100)}).getvalue()
    assert why_unusable(io.BytesIO()) == "the file is empty"
    assert "no whole Parquet file" in why_unusable(io.BytesIO(content[:-9]))
    assert "no whole Parquet file" in why_unusable(io.BytesIO(b"string,integer\nx,1\n"))


def test_damage_within_a_file_is_told() -> None:
    values = pa.array([str(number * 7919) for number in range(30_000)])
    content = bytearray(written({"string": values}, use_dictionary=False, row_group_size=10_000).getvalue())
    middle = len(content) // 2
    content[middle : middle + 400] = b"\xff" * 400
    assert "it is damaged after data row 10,000" in why_unusable(io.BytesIO(bytes(content)))


WHOLE = written({"string": pa.array(["some text"] * 50), "integer": pa.array(range(50))}).getvalue()


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.integers(0, len(WHOLE) - 1), st.integers(0, 255), min_size=1, max_size=6))
def test_any_damage_gives_rows_or_a_reason(bytes_: dict[int, int]) -> None:
    damaged = bytearray(WHOLE)
    for place, byte in bytes_.items():
        damaged[place] = byte
    with contextlib.suppress(UnusableFileError):
        rows(io.BytesIO(bytes(damaged)))


def test_text_that_is_not_utf8_is_damage() -> None:
    wrong = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    assert "UTF8" in why_unusable(written({"string": wrong}))


def test_a_decompression_bomb_is_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_rows, "UNPACKED_BYTES", 1 << 20)
    assert "decompression bomb" in why_unusable(written({"integer": pa.array([1] * 2_000_000)}))


@given(
    st.lists(
        st.tuples(
            st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
            st.none() | st.integers(-(10**18) + 1, 10**18 - 1),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.none() | st.booleans(),
            st.none() | st.integers(-(10**15), 10**15).map(lambda micros: EPOCH + timedelta(microseconds=micros)),
        ),
        max_size=20,
    )
)
def test_no_value_is_lost(table: list[tuple[Any, ...]]) -> None:
    kinds = (pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("us", "UTC"))
    columns = list(zip(*table, strict=True)) or [()] * len(kinds)
    file = written({name: pa.array(values, kind) for name, values, kind in zip(TYPES, columns, kinds, strict=True)})
    opened = open_parquet(file, SOURCE)
    assert opened.header == TYPES
    for row, told in zip(table, opened.rows, strict=True):
        assert told.values is not None
        text, integer, number, truth, moment = told.values
        assert text == row[0]
        assert (integer and int(integer)) == row[1]
        assert (number and float(number)) == row[2]
        assert truth == (None if row[3] is None else str(row[3]).lower())
        assert (moment and datetime.fromisoformat(moment)) == row[4]
