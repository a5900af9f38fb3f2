"""Writing to the branch of one attempt, never to main, with properties in the commit's summary (DESIGN §3)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame, DataFrameWriterV2, SparkSession
from pyspark.sql import functions as F

_PROPERTY = "snapshot-property."


@dataclass(frozen=True)
class Target:
    """A branch to write to, cut from snapshot `base` of a table, and what the commit is to be stamped with."""

    table: str
    branch: str
    base: int
    properties: Mapping[str, str]

    @property
    def name(self) -> str:
        """The branch as an identifier of Spark SQL."""
        return ".".join(f"`{part}`" for part in (*self.table.split("."), f"branch_{self.branch}"))


def read_at(spark: SparkSession, table: str, snapshot_id: int) -> DataFrame:
    """The rows of one snapshot. Every read is pinned: a head may move between two looks of one job."""
    return spark.read.option("versionAsOf", snapshot_id).table(table)


def append(rows: DataFrame, target: Target) -> None:
    """Append rows by column name."""
    _writer(rows, target).append()


def overwrite(rows: DataFrame, target: Target) -> None:
    """Replace all rows. Earlier snapshots, their tags and their schemas stay."""
    _writer(rows, target).overwrite(F.lit(True))


def merge(spark: SparkSession, rows: DataFrame, target: Target, clauses: str) -> None:
    """`MERGE INTO` the branch, called t, of rows, called s.

    Args:
        clauses: The statement from its ON condition to its end.
    """
    rows.createOrReplaceTempView("incoming")
    # MERGE has no writer options, and the session's conf stamps every commit: it must not outlive this one.
    with _session_properties(spark, target.properties):
        spark.sql(f"MERGE INTO {target.name} t USING incoming s {clauses}").collect()
    spark.catalog.dropTempView("incoming")


def delete(spark: SparkSession, rows: DataFrame, target: Target, condition: str) -> None:
    """Delete from the branch, called t, what rows, called s, name."""
    merge(spark, rows, target, f"ON {condition} WHEN MATCHED THEN DELETE")


def _writer(rows: DataFrame, target: Target) -> DataFrameWriterV2:
    writer = rows.writeTo(target.name)
    for key, value in target.properties.items():
        writer = writer.option(_PROPERTY + key, value)
    return writer


@contextmanager
def _session_properties(spark: SparkSession, properties: Mapping[str, str]) -> Iterator[None]:
    confs = {f"spark.sql.iceberg.{_PROPERTY}{key}": value for key, value in properties.items()}
    try:
        for conf, value in confs.items():
            spark.conf.set(conf, value)
        yield
    finally:
        for conf in confs:
            spark.conf.unset(conf)
