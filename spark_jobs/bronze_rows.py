"""Rows of bronze: those that came after one snapshot, up to another, read and judged by the contract."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.batches import Landing
from spark_jobs.fenced_write import read_at
from spark_jobs.transforms.casting import cast_rows
from spark_jobs.transforms.identity import POSITION, identify
from spark_jobs.transforms.quarantine import judge


def read_rows(
    spark: SparkSession,
    problem: Problem,
    *,
    after: int | None,
    until: int,
    without: Collection[Landing] = (),
    known_at: datetime | None = None,
) -> DataFrame:
    """Bronze rows, read and identified: `given`, `typed`, `row_key`, `event_timestamp`, `position` besides their own.

    Args:
        after: Snapshot of bronze whose rows, and all before them, are left out; None: every row.
        until: Newest snapshot whose rows are read.
        without: Files whose rows are left out.
        known_at: Only rows whose ingestion had begun by then.
    """
    # A time without a zone is UTC, whatever the server's zone is.
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    rows = bronze(spark, problem.source_name, after=after, until=until).where("record = 'row'")
    if known_at is not None:
        rows = rows.where(F.col("ingested_at") <= F.lit(known_at))
    rows = not_of(spark, without, rows, landed="unix_micros(last_modified)")
    read = identify(cast_rows(rows, problem.source), problem.source)
    return read.drop("record", "etag", "size", "status", "detail", "rows", "ingested_at", "run_id")


def judged_rows(read: DataFrame, problem: Problem) -> DataFrame:
    """Rows with the codes of what they break in `reasons`; what the file said (`fields`, `raw`) of broken rows only.

    Use `kept` where they are looked at more than once: a condition on `reasons` would go down to where the rows are
    read, and judge them there again.
    """
    judged = judge(read, problem.source)
    said = {name: F.when(F.size("reasons") > 0, F.col(name)) for name in ("fields", "raw")}
    return judged.withColumns(said).select(
        "path", "row_number", "fields", "raw", "typed", "row_key", "event_timestamp", "position", "reasons"
    )


@contextmanager
def kept(judged: DataFrame, problem: Problem) -> Iterator[DataFrame]:
    """The same judged rows, computed once for as long as this lasts.

    Kept as plain columns: of these Spark reads back what is asked for, of a struct always the whole. And on the disk:
    ten million rows would fill the heap, and every sort after them waited for the garbage collector.
    """
    structs = {"typed": tuple(problem.source.columns), "position": POSITION}
    plain = {struct: {f"_{struct}_{field}": field for field in fields} for struct, fields in structs.items()}
    others = ("row_number", "fields", "raw", "row_key", "event_timestamp", "reasons")
    apart = [F.col(struct).getField(f).alias(name) for struct, fields in plain.items() for name, f in fields.items()]
    rows = judged.select(*others, *apart).persist(StorageLevel.DISK_ONLY)
    together = [F.struct(*(F.col(n).alias(f) for n, f in fields.items())).alias(s) for s, fields in plain.items()]
    try:
        yield rows.select(F.col("_position_path").alias("path"), *others, *together)
    finally:
        rows.unpersist()


def bronze(spark: SparkSession, source: str, *, after: int | None, until: int) -> DataFrame:
    """Every record, rows and markers, of a span of bronze, which is only ever appended to."""
    table = names.bronze_files(source)
    if after is None:
        return read_at(spark, table, until)
    span = spark.read.option("start-snapshot-id", after).option("end-snapshot-id", until)
    return span.table(table)


def not_of(spark: SparkSession, files: Collection[Landing], rows: DataFrame, *, landed: str) -> DataFrame:
    """The rows of other files.

    Args:
        rows: Rows with their file's `path`.
        landed: The expression that tells when it landed, microseconds.
    """
    if not files:
        return rows
    left_out = spark.createDataFrame([(file.path, file.landed) for file in files], "_path string, _landed long")
    of_them = (F.col("path") == F.col("_path")) & (F.expr(landed) == F.col("_landed"))
    return rows.join(F.broadcast(left_out), of_them, "left_anti")


def valid(judged: DataFrame) -> DataFrame:
    return judged.where(F.size("reasons") == 0)


def broken(judged: DataFrame) -> DataFrame:
    return judged.where(F.size("reasons") > 0)


def told_apart(rows: DataFrame) -> str:
    """Names a set of rows by their positions, whatever their order."""
    of_each = F.xxhash64("position").cast("decimal(38)")
    (told,) = rows.agg(F.concat_ws("-", F.count("*"), F.sum(of_each)).alias("told")).collect()
    return str(told["told"])
