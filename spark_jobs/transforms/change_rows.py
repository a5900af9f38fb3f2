"""Changes of bronze as rows: what each says that a row of the source is, began to be, or ceased to be."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.source import Source
from spark_jobs.transforms.envelope import ROW, WITH_ROW_AFTER

READ, INSERT, UPDATE, DELETE, TRUNCATE = "r", "c", "u", "d", "t"
BEGINS_OR_ENDS = (INSERT, DELETE)
"""Changes before which nothing counts of their row: it was not there, or is no more."""
_ROWS = f"struct<before: {ROW}, after: {ROW}>"


def change_rows(changes: DataFrame, source: Source) -> DataFrame:
    """The columns that `bronze_rows` reads of a file's rows, and `change`, `epoch` and `lsn` besides.

    An update of the primary key is two: the row of the old key is deleted, one of the new is inserted. A message that
    cannot be read has its text, or base64 of its bytes, as `raw`.

    Args:
        changes: Rows of the bronze table of changes.
    """
    told = changes.where(f"malformed IS NOT NULL OR operation IN ({_quoted(*WITH_ROW_AFTER, DELETE)})")
    value = F.from_json(F.col("value").cast("string"), _ROWS)
    # Once, as a column of its own: each part of it is looked at several times.
    told = told.withColumn("_value", F.when(F.col("malformed").isNull(), value))
    before, after = F.col("_value").getField("before"), F.col("_value").getField("after")
    same_key = F.lit(True)
    for name in source.primary_key:
        same_key = same_key & F.try_element_at(before, F.lit(name)).eqNullSafe(F.try_element_at(after, F.lit(name)))
    one, other = _change(F.col("operation"), after), _change(F.lit(DELETE), before)
    moved = (F.col("operation") == UPDATE) & before.isNotNull() & ~same_key
    parts = (
        F.when(F.col("operation") == DELETE, F.array(other))
        .when(moved, F.array(other, _change(F.lit(INSERT), after)))
        .otherwise(F.array(one))
    )
    rows = told.withColumn("_part", F.explode(parts))
    return rows.select(
        F.concat_ws("-", "topic", "partition").alias("path"),
        F.col("offset").alias("row_number"),
        F.coalesce("committed_at", "sent_at").alias("last_modified"),
        F.col("_part").getField("fields").alias("fields"),
        "malformed",
        F.when(F.col("malformed").isNotNull(), _readable(F.col("value"))).alias("raw"),
        F.lit(None).cast("string").alias("assigned_key"),
        F.col("_part").getField("change").alias("change"),
        F.coalesce("epoch", F.lit("")).alias("epoch"),
        F.coalesce("lsn", F.lit(0)).alias("lsn"),
    )


def _change(operation: Column, fields: Column) -> Column:
    return F.struct(operation.alias("change"), fields.alias("fields"))


def _readable(value: Column) -> Column:
    return F.when(F.is_valid_utf8(value), value.cast("string")).otherwise(F.concat(F.lit("base64:"), F.base64(value)))


def _quoted(*words: str) -> str:
    return ", ".join(f"'{word}'" for word in words)
