"""Writing to the branch of one attempt, never to main, with properties in the commit's summary (DESIGN §3)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame, DataFrameWriterV2, SparkSession
from pyspark.sql import functions as F

_PROPERTY = "snapshot-property."
FEW_ROWS = 20_000
"""Up to so many rows, a merge says which hashes their keys have."""
HASHES = 1 << 17
"""How many there are: more make a longer condition, fewer let more rows pass that are not meant."""


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


def merge(
    spark: SparkSession, rows: DataFrame, target: Target, clauses: str, *, arguments: Mapping[str, bytes] | None = None
) -> None:
    """`MERGE INTO` the branch, called t, of rows, called s.

    Args:
        clauses: The statement from its ON condition to its end.
        arguments: What the names after colons in it stand for.
    """
    rows.createOrReplaceTempView("incoming")
    # MERGE has no writer options, and the session's conf stamps every commit: it must not outlive this one.
    with _session_properties(spark, target.properties):
        spark.sql(f"MERGE INTO {target.name} t USING incoming s {clauses}", args=dict(arguments or {})).collect()
    spark.catalog.dropTempView("incoming")


def merge_by_key(spark: SparkSession, rows: DataFrame, target: Target, clauses: str, *, few: bool) -> None:
    """Merge on `row_key`.

    A merge that may insert sends every row of the table through a join, sorted. For few rows the condition says which
    hashes their keys have: it is asked where the table is read, and one row in seven, at most, is left to join.

    Args:
        clauses: The statement after its ON condition.
        few: See `is_few`.
    """
    on = "ON t.row_key = s.row_key"
    if not few:
        return merge(spark, rows, target, f"{on} {clauses}")
    rows = rows.localCheckpoint()
    slots = F.pmod(F.xxhash64("row_key"), F.lit(HASHES)).cast("int")
    taken = bytearray(HASHES)
    for row in rows.select(slots.alias("slot")).distinct().collect():
        taken[row["slot"]] = 1
    asked = f"substring(:taken, CAST(1 + pmod(xxhash64(t.row_key), {HASHES}) AS INT), 1) = X'01'"
    return merge(spark, rows, target, f"{on} AND {asked} {clauses}", arguments={"taken": bytes(taken)})


def is_few(rows: DataFrame) -> bool:
    """Whether there are `FEW_ROWS` at most. Counts no further."""
    return rows.limit(FEW_ROWS + 1).count() <= FEW_ROWS


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
