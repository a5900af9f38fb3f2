"""What is known about silver rows besides their values: whether a newer version was refused, and what changed."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# Columns of our own begin with "_", which no column of a contract does.
_POSITIONS = ("first_position", "last_position", "label_position", "counts_from", "newest_change")
_KNOWN = (*_POSITIONS, "source_file", "stale_since")


def mark_stale(rows: DataFrame, quarantined: DataFrame | None) -> DataFrame:
    """Add `stale_since`: when the first version came that is newer than the row's last one and was quarantined.

    Args:
        quarantined: Quarantine rows under the same contract; None: there are none.
    """
    if quarantined is None:
        return rows.withColumn("stale_since", F.lit(None).cast("timestamp"))
    came = F.timestamp_micros(F.col("position").getField("major"))
    if "known_at" in quarantined.columns:  # a snapshot that was written before there were changes has none
        came = F.coalesce("known_at", came)
    refused = quarantined.where("row_key IS NOT NULL")
    refused = refused.select("row_key", F.col("position").alias("_refused"), came.alias("_came"))
    newer = rows.join(refused, "row_key").where(F.col("_refused") > F.col("last_position"))
    since = newer.groupBy("row_key").agg(F.min("_came").alias("stale_since"))
    return rows.join(since, "row_key", "left")


def mark_changes(rows: DataFrame, current: DataFrame, columns: Sequence[str], sequence: int) -> DataFrame:
    """The rows that differ from the current ones, with `changed_seq`: the sequence where a value differs.

    A version that only repeats values moves a position, and nothing that gold would have to read again.
    """
    values = ("event_timestamp", *columns, "deleted")
    before = F.struct(*values, *_KNOWN, "changed_seq").alias("_before")
    paired = rows.join(current.select("row_key", before), "row_key", "left")
    same_values = F.col("_before").isNotNull() & _same(values)
    changed = paired.where(~(same_values & _same(_KNOWN)))
    changed_seq = F.when(same_values, F.col("_before").getField("changed_seq")).otherwise(F.lit(sequence))
    return changed.withColumn("changed_seq", changed_seq).drop("_before")


def _same(names: Sequence[str]) -> Column:
    now = F.struct(*names)
    return now.eqNullSafe(F.struct(*(F.col("_before").getField(name).alias(name) for name in names)))
