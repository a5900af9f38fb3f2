"""Rows of bronze: those that came after one state of it, up to another, read and judged by the contract."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from millrace.contract import names
from millrace.contract.constraints import MESSAGE
from millrace.contract.problem import Problem
from millrace.contract.source import Source
from millrace.domain.batches import BronzeAt, Landing
from millrace.domain.following import Following
from spark_jobs.fenced_write import read_at
from spark_jobs.transforms.casting import cast_rows
from spark_jobs.transforms.change_rows import change_rows
from spark_jobs.transforms.envelope import DELETE
from spark_jobs.transforms.identity import POSITION, file_position, identify, message_position, of_a_file
from spark_jobs.transforms.message_rows import message_rows
from spark_jobs.transforms.quarantine import judge

_SAID = ("path", "row_number", "fields", "raw")
_IDENTIFIED = ("typed", "row_key", "event_timestamp", "position", "known_at", "change")
_READ = (*_SAID, "malformed", "given", *_IDENTIFIED)
_JUDGED = (*_SAID, *_IDENTIFIED, "reasons")


def read_rows(
    spark: SparkSession,
    problem: Problem,
    *,
    after: BronzeAt | None = None,
    until: BronzeAt,
    following: Following | None = None,
    without: Collection[Landing] = (),
    ingested_by: datetime | None = None,
) -> DataFrame:
    """Bronze rows, read and identified: `given`, `typed`, `row_key`, `event_timestamp`, `position`, `known_at` and
    `change` (None: the row of a file, or a change that cannot be read) besides their own.

    Args:
        after: State of bronze whose rows, and all before them, are left out; None: every row.
        until: Newest state whose rows are read.
        following: What the changes up to there tell of the table as a whole.
        without: Files whose rows are left out.
        ingested_by: Only rows whose ingestion had begun by then.
    """
    # A time without a zone is UTC, whatever the server's zone is.
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    since, source = after or BronzeAt(None), problem.source
    rows = of_span(spark, names.bronze_files(problem.source_name), after=since.files, until=until.files)
    rows = known_by(ingested_by, rows.where("record = 'row'"))
    rows = not_of(spark, without, rows, landed="unix_micros(last_modified)")
    read = file_rows(rows, source)
    if until.changes is None:
        return read
    changes = of_span(spark, names.bronze_changes(problem.source_name), after=since.changes, until=until.changes)
    changes = known_by(ingested_by, changes)
    rows = change_rows(changes, source, following).unionByName(message_rows(changes, source))
    # JSON has one way to write numbers and times, whatever the source's files do.
    plain = source.model_copy(update={"decimal": ".", "dates": "iso"})
    cast = cast_rows(rows, plain, zoned_dates=True)
    return read.unionByName(identify(cast, source, message_position()).select(*_READ))


def file_rows(raw: DataFrame, source: Source) -> DataFrame:
    """Rows of the bronze table of files, as `read_rows` returns them."""
    read = identify(cast_rows(raw, source), source, file_position())
    return read.withColumn("change", F.lit(None).cast("string")).select(*_READ)


def known_by(time: datetime | None, rows: DataFrame) -> DataFrame:
    """The rows of bronze whose ingestion had begun at a time; None: all."""
    return rows if time is None else rows.where(F.col("ingested_at") <= F.lit(time))


def judged_rows(read: DataFrame, problem: Problem) -> DataFrame:
    """Rows with the codes of what they break in `reasons`; what the file said (`fields`, `raw`) of broken rows only.

    Use `kept` where they are looked at more than once: a condition on `reasons` would go down to where the rows are
    read, and judge them there again.
    """
    judged = judge(read, problem.source)
    none, unread = F.array().cast("array<string>"), F.array(F.lit(MESSAGE))
    unreadable = ~of_a_file() & F.col("malformed").isNotNull()
    # What ends a row needs its key and no more; whether the row was valid was judged when it came.
    reasons = F.when(F.col("change") == DELETE, none).when(unreadable, unread)
    judged = judged.withColumn("reasons", reasons.otherwise(F.col("reasons")))
    said = {name: F.when(F.size("reasons") > 0, F.col(name)) for name in ("fields", "raw")}
    return judged.withColumns(said).select(*_JUDGED)


@contextmanager
def kept(judged: DataFrame, problem: Problem) -> Iterator[DataFrame]:
    """The same judged rows, computed once for as long as this lasts.

    Kept as plain columns: of these Spark reads back what is asked for, of a struct always the whole. And on the disk:
    ten million rows would fill the heap, and every sort after them waited for the garbage collector.
    """
    structs = {"typed": tuple(problem.source.columns), "position": POSITION}
    plain = {struct: {f"_{struct}_{field}": field for field in fields} for struct, fields in structs.items()}
    others = [name for name in _JUDGED if name not in ("path", *structs)]
    apart = [F.col(struct).getField(f).alias(name) for struct, fields in plain.items() for name, f in fields.items()]
    rows = judged.select(*others, *apart).persist(StorageLevel.DISK_ONLY)
    together = [F.struct(*(F.col(n).alias(f) for n, f in fields.items())).alias(s) for s, fields in plain.items()]
    try:
        yield rows.select(F.col("_position_path").alias("path"), *others, *together)
    finally:
        rows.unpersist()


def of_span(spark: SparkSession, table: str, *, after: int | None, until: int | None) -> DataFrame:
    """Every record, rows and markers, of a span of a bronze table, which is only ever appended to."""
    assert until is not None, f"{table} has a snapshot, if only an empty one"
    if after in (None, until):
        rows = read_at(spark, table, until)
        return rows if after is None else rows.where(F.lit(False))  # Iceberg refuses an empty span
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
