"""Changes of bronze as rows: what each says that a row of the source is, began to be, or ceased to be."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.source import Source
from millrace.domain.following import Following
from spark_jobs.transforms.envelope import DELETE, INSERT, UPDATE, WITH_ROW_AFTER, of_a_snapshot, place

BEGINS_OR_ENDS = (INSERT, DELETE)
"""Changes before which nothing counts of their row: it was not there, or is no more."""
_ROW = "map<string, string>"
"""A row of the source: column → value as JSON writes it, a text without its quotes."""
_ROWS = f"before: {_ROW}, after: {_ROW}"
_VALUE = f"struct<{_ROWS}, payload: struct<{_ROWS}>>"
"""A change, which somebody else's connector may send in an envelope of its schema."""


def change_rows(changes: DataFrame, source: Source, following: Following | None) -> DataFrame:
    """The columns that `bronze_rows` reads of a file's rows, and `change`, `input_rank`, `epoch` and `lsn` besides.

    An update of the primary key is two: the row of the old key is deleted, one of the new is inserted. A message that
    cannot be read has its text, or base64 of its bytes, as `raw`, and the time of its sending as `lsn`.

    Args:
        changes: Rows of the bronze table of changes, of which those that producers sent are left out.
        following: What they, and those before them, tell of the table as a whole.
    """
    of_a_row = F.col("operation").isin(*WITH_ROW_AFTER, DELETE)
    # Nothing is told of what a change that cannot be read does.
    unreadable = F.col("malformed").isNotNull() & F.col("operation").isNull()
    told = changes.where(unreadable | of_a_row)
    value = F.from_json(F.col("value").cast("string"), _VALUE)
    # Once, as a column of its own: each part of it is looked at several times.
    told = told.withColumn("_value", F.when(F.col("malformed").isNull(), value))
    before, after = _side("before"), _side("after")
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
        place().alias("path"),
        F.col("offset").alias("row_number"),
        F.coalesce("committed_at", "sent_at").alias("last_modified"),
        F.col("_part").getField("fields").alias("fields"),
        "malformed",
        F.when(F.col("malformed").isNotNull(), readable(F.col("value"))).alias("raw"),
        F.lit(None).cast("string").alias("assigned_key"),
        F.col("_part").getField("change").alias("change"),
        F.lit(1).alias("input_rank"),
        F.coalesce("epoch", F.lit("")).alias("epoch"),
        F.coalesce(_after_the_snapshot(following), F.unix_micros("sent_at")).alias("lsn"),
    )


def _side(name: str) -> Column:
    value = F.col("_value")
    return F.coalesce(value.getField(name), value.getField("payload").getField(name))


def _after_the_snapshot(following: Following | None) -> Column:
    """The log position; of a change that came after its epoch's snapshot, that of the snapshot at least.

    A transaction that wrote before the snapshot's position and was committed after it is not part of the snapshot.
    """
    position = F.col("lsn")
    for epoch, seen in (following.epochs if following else {}).items():
        later = (F.col("epoch") == epoch) & ~of_a_snapshot()
        if seen.snapshot is not None:
            position = F.when(later, F.greatest(F.col("lsn"), F.lit(seen.snapshot))).otherwise(position)
    return position


def _change(operation: Column, fields: Column) -> Column:
    return F.struct(operation.alias("change"), fields.alias("fields"))


def readable(value: Column) -> Column:
    """The bytes of a message as a text: its own, or base64 where it is none."""
    return F.when(F.is_valid_utf8(value), value.cast("string")).otherwise(F.concat(F.lit("base64:"), F.base64(value)))
