"""Rows as bronze holds them, made in the test."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession

SCHEMA = (
    "path string, row_number long, last_modified timestamp, fields map<string,string>, malformed string, raw string, "
    "assigned_key string"
)


def bronze_rows(spark: SparkSession, rows: Sequence[Mapping[str, str | None] | None]) -> DataFrame:
    """Rows of one file; None is a row that could not be split into fields."""
    landed = datetime(2026, 1, 31, tzinfo=UTC)
    told = [
        ("a.csv", n, landed, fields, None if fields is not None else "expected 2 fields, found 1", None, f"key{n}")
        for n, fields in enumerate(rows, start=1)
    ]
    return spark.createDataFrame(told, SCHEMA)
