"""Spark's predicates give each row of the corpus the codes that every other engine gives it."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from millrace.contract.constraints import FIELD_COUNT
from millrace.contract.source import Column, Source
from millrace.domain.parquet_rows import open_parquet
from spark_jobs.transforms.casting import cast_rows
from spark_jobs.transforms.quarantine import judge
from tests.contract.parity_corpus import CORPUS
from tests.contract.wide_row import by_case, expected, numbered, one_source, one_text
from tests.spark_jobs.bronze import bronze_rows

pytestmark = pytest.mark.stack

MOMENT = datetime(2026, 1, 31, 10, 20, 30, 5, tzinfo=UTC)
SAYABLE = numbered(case for case in CORPUS if case.raw is not None)


def test_the_corpus(spark: SparkSession) -> None:
    source = one_source(SAYABLE)
    (row,) = judge(cast_rows(bronze_rows(spark, [one_text(SAYABLE)]), source), source).select("reasons").collect()
    assert by_case(SAYABLE, row["reasons"]) == expected(SAYABLE)


def test_what_is_read(spark: SparkSession) -> None:
    texts: dict[str, dict[str, object]] = {
        "integer": {"+7": 7, "007": 7, "-1.0": -1, "7.000": 7, "999999999999999999": 999_999_999_999_999_999},
        "number": {".5": 0.5, "5.": 5.0, "-2.5E-3": -0.0025, "1e-999": 0.0},
        "boolean": {"TRUE": True, "n": False, "1": True, "No": False},
        "timestamp": {
            "2026-01-31": datetime(2026, 1, 31, tzinfo=UTC),
            "2026-01-31 10:20": datetime(2026, 1, 31, 10, 20, tzinfo=UTC),
            "2026-01-31T10:20Z": datetime(2026, 1, 31, 10, 20, tzinfo=UTC),
            "2026-01-31T10:20+02:00": datetime(2026, 1, 31, 8, 20, tzinfo=UTC),
            "2026-01-31 10:20 UTC": datetime(2026, 1, 31, 10, 20, tzinfo=UTC),
            "2019-10-01 00:00:00 UTC": datetime(2019, 10, 1, tzinfo=UTC),
            "2026-01-31 00:20:30.5-0530": datetime(2026, 1, 31, 5, 50, 30, 500_000, tzinfo=UTC),
        },
    }
    wanted = [(kind, text, value) for kind, of_kind in texts.items() for text, value in of_kind.items()]
    columns = {f"c{n}": Column.model_validate({"type": kind}) for n, (kind, _, _) in enumerate(wanted)}
    source = Source(assigned_key="row_content", assigned_time="file_modified", columns=columns)
    rows = bronze_rows(spark, [{f"c{n}": text for n, (_, text, _) in enumerate(wanted)}])
    # Micros, because the client would tell a timestamp in its own time zone.
    told = [
        f"unix_micros(typed.c{n})" if kind == "timestamp" else f"typed.c{n}" for n, (kind, _, _) in enumerate(wanted)
    ]
    (row,) = cast_rows(rows, source).selectExpr(*told).collect()
    micros = [int(v.timestamp() * 1e6) if isinstance(v, datetime) else v for _, _, v in wanted]
    assert list(row) == micros


def test_what_is_read_where_the_source_says_how(spark: SparkSession) -> None:
    columns = {
        "n": Column(type="number", nullable=True),
        "i": Column(type="integer", nullable=True, null_values=("-1",)),
        "s": Column(type="string", allowed=("a b", "1,5"), nullable=True, header="The s"),
    }
    source = Source(
        assigned_key="row_content",
        assigned_time="file_modified",
        columns=columns,
        trim=True,
        decimal=",",
        delimiter=";",
    )
    cases: list[tuple[dict[str, str], list[object], list[str]]] = [
        ({"n": " 1,5\t", "i": " 7,0", "s": " a b "}, [1.5, 7, "a b"], []),
        ({"n": "1.500", "i": "1.0", "s": "1,5"}, [None, None, "1,5"], ["type:n", "type:i"]),
        ({"n": "1.234,5", "i": " -1,0 ", "s": " \t"}, [None, None, None], ["type:n"]),
        # As a file tells it that came before the contract knew the column.
        ({"n": " NA ", "i": " -1", "The s": "a b"}, [None, None, "a b"], []),
    ]
    rows = judge(cast_rows(bronze_rows(spark, [fields for fields, _, _ in cases]), source), source)
    found = rows.orderBy("row_number").select("typed.n", "typed.i", "typed.s", "reasons").collect()
    assert [(list(row)[:3], row["reasons"]) for row in found] == [(values, codes) for _, values, codes in cases]


def test_dates_are_read_as_the_source_says(spark: SparkSession) -> None:
    moment = datetime(2026, 1, 2, 9, 5, tzinfo=UTC)
    both = {"2026-01-02T09:05": moment, "2026-01-02": moment.replace(hour=0, minute=0)}
    wanted: dict[str, dict[str, datetime | None]] = {
        "day_first": {
            **both,
            "2.1.2026 9:05": moment,
            "02/01/2026 09:05:00": moment,
            "2-1-2026T10:05+01:00": moment,
            "31.01.2026": datetime(2026, 1, 31, tzinfo=UTC),
            **dict.fromkeys(("1/31/2026", "31.02.2026", "2.1/2026", "2.1.26", "2.1.2026 9", "x2.1.2026"), None),
        },
        "month_first": {**both, "1/2/2026 9:05": moment, "31.01.2026": None},
        "iso": {**both, "2.1.2026": None, "02/01/2026": None},
    }
    for dates, told in wanted.items():
        column = Column(type="timestamp", nullable=True)
        source = Source(assigned_key="row_content", assigned_time="file_modified", columns={"t": column}, dates=dates)
        rows = judge(cast_rows(bronze_rows(spark, [{"t": text} for text in told]), source), source)
        found = rows.orderBy("row_number").selectExpr("unix_micros(typed.t)", "reasons").collect()
        micros = [(int(value.timestamp() * 1e6), []) if value else (None, ["type:t"]) for value in told.values()]
        assert [tuple(row) for row in found] == micros, dates


def test_what_parquet_holds_is_what_is_read(spark: SparkSession) -> None:
    held: dict[
        str, tuple[Literal["string", "integer", "number", "boolean", "timestamp"], list[object], pa.DataType]
    ] = {
        "s": ("string", ["Bücher", " ", None], pa.string()),
        "i": ("integer", [10**17, -7, None], pa.int64()),
        "f": ("integer", [1.0, 1e15, None], pa.float64()),
        "n": ("number", [0.1, 1e-300, None], pa.float64()),
        "d": ("number", [Decimal("1.50"), Decimal("-0.01"), None], pa.decimal128(20, 2)),
        "b": ("boolean", [True, False, None], pa.bool_()),
        "t": ("timestamp", [MOMENT, MOMENT.replace(microsecond=0), None], pa.timestamp("us", "Europe/Berlin")),
    }
    columns = {name: Column(type=kind, nullable=True) for name, (kind, _, _) in held.items()}
    source = Source(format="parquet", assigned_key="row_content", assigned_time="file_modified", columns=columns)
    file = io.BytesIO()
    pq.write_table(pa.table({name: pa.array(values, kind) for name, (_, values, kind) in held.items()}), file)
    opened = open_parquet(file, source)
    fields = [dict(zip(opened.header, row.values or (), strict=True)) for row in opened.rows]
    rows = judge(cast_rows(bronze_rows(spark, fields), source), source)
    told = [f"unix_micros(typed.{name})" if name == "t" else f"typed.{name}" for name in held]
    found = rows.orderBy("row_number").selectExpr("reasons", *told).collect()
    assert [row["reasons"] for row in found] == [[], [], []]
    for place, (name, (_, values, _)) in enumerate(held.items(), start=1):
        wanted = [
            int(value.timestamp() * 1e6) if isinstance(value, datetime) else value and type(found[0][place])(value)
            for value in values
        ]
        assert [row[place] for row in found] == wanted, name


def test_a_malformed_row_has_that_reason_alone(spark: SparkSession) -> None:
    source = one_source(SAYABLE)
    (row,) = judge(cast_rows(bronze_rows(spark, [None]), source), source).select("reasons").collect()
    assert row["reasons"] == [FIELD_COUNT]


def test_a_key_may_be_lacking_where_millrace_assigns_it_but_not_empty(spark: SparkSession) -> None:
    source = Source(
        primary_key=("id",),
        assigned_key="row_content",
        assigned_time="file_modified",
        columns={"id": Column(type="string")},
    )
    rows = judge(cast_rows(bronze_rows(spark, [{"other": "x"}, {"id": ""}]), source), source)
    assert [row["reasons"] for row in rows.orderBy("row_number").select("reasons").collect()] == [[], ["required:id"]]
