"""The same rows, in whatever file they land, are the same rows to Spark."""

import gzip
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from millrace.domain.batches import BronzeAt
from spark_jobs.bronze_rows import judged_rows, read_rows
from tests.steps.ingesting import ingest, land
from tests.steps.small_problem import small_problem

pytestmark = pytest.mark.stack

ROWS = [
    ("a", datetime(2026, 1, 2, 9, 5, tzinfo=UTC), 1.5, "x", True, 1),
    ("b", datetime(2026, 12, 31, 23, 59, 1, tzinfo=UTC), 1e-3, None, False, None),
]
NAMES = ("id", "seen_at", "Size", "kind", "done", "sold")


def csv(*, dates: str = "%Y-%m-%dT%H:%M:%SZ", header: bool = True) -> bytes:
    told = [
        (key, seen.strftime(dates), size, kind or "", done, "" if sold is None else sold)
        for key, seen, size, kind, done, sold in ROWS
    ]
    return "".join(",".join(map(str, row)) + "\n" for row in ([NAMES] if header else []) + told).encode()


def parquet() -> bytes:
    file = io.BytesIO()
    columns = zip(*ROWS, strict=True)
    pq.write_table(pa.table({name: pa.array(values) for name, values in zip(NAMES, columns, strict=True)}), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("keys", "content"),
    [
        ({}, lambda: gzip.compress(csv())),
        ({"format": "parquet"}, parquet),
        ({"dates": "day_first", "has_header": False}, lambda: csv(dates="%d/%m/%Y %H:%M:%S", header=False)),
    ],
    ids=["gzip", "parquet", "day first, no header"],
)
def test_the_same_rows_are_read_from_bronze(
    spark: SparkSession, keys: dict[str, Any], content: Callable[[], bytes]
) -> None:
    with small_problem(**keys) as problem:
        land(problem, "file", content())
        until = ingest(problem)["snapshot_id"]
        rows = judged_rows(read_rows(spark, problem, until=BronzeAt(until)), problem)
        # Micros, because the client would tell a timestamp in its own time zone.
        told = ["unix_micros(event_timestamp)" if name == "seen_at" else f"typed.{name}" for name in NAMES]
        found = rows.orderBy("row_number").selectExpr("reasons", *told).collect()
        assert [tuple(row) for row in found] == [
            ([], *(int(value.timestamp() * 1e6) if isinstance(value, datetime) else value for value in row))
            for row in ROWS
        ]
