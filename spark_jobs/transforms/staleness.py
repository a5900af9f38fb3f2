"""What is known about silver rows besides their values: whether a newer version was refused, and what changed."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# Columns of our own begin with "_", which no column of a contract does.
_KNOWN = ("first_position", "last_position", "label_position", "source_file", "stale_since")


def mark_stale(rows: DataFrame, quarantined: DataFrame | None) -> DataFrame:
    """Add `stale_since`: when the first version landed that is newer than the row's last one and was quarantined.

    Args:
        quarantined: Quarantine rows under the same contract; None: there are none.
    """
    if quarantined is None:
        return rows.withColumn("stale_since", F.lit(None).cast("timestamp"))
    refused = quarantined.where("row_key IS NOT NULL").select("row_key", F.col("position").alias("_refused"))
    newer = rows.join(refused, "row_key").where(F.col("_refused") > F.col("last_position"))
    landed = F.timestamp_micros(F.min(F.col("_refused").getField("major")))
    since = newer.groupBy("row_key").agg(landed.alias("stale_since"))
    return rows.join(since, "row_key", "left")


def mark_changes(rows: DataFrame, current: DataFrame, columns: Sequence[str], sequence: int) -> DataFrame:
    """The rows that differ from the current ones, with `changed_seq`: the sequence where a value differs.

    A version that only repeats values moves a position, and nothing that gold would have to read again. A key that was
    deleted stays `deleted` until a version comes that is newer than its end: an older one, replayed, does not bring it
    back.
    """
    values = ("event_timestamp", *columns)
    before = F.struct(*values, *_KNOWN, "changed_seq", "deleted").alias("_before")
    paired = rows.join(current.select("row_key", before), "row_key", "left")
    known, same_values = F.col("_before").isNotNull(), _same(values)
    changed_seq = F.when(known & same_values, F.col("_before").getField("changed_seq")).otherwise(F.lit(sequence))
    changed = paired.where(~(known & same_values & _same(_KNOWN)))
    was = F.col("_before")
    deleted = was.getField("deleted") & was.getField("last_position").eqNullSafe(F.col("last_position"))
    told = {"changed_seq": changed_seq, "deleted": F.coalesce(deleted, F.lit(False))}
    return changed.withColumns(told).drop("_before")


def _same(names: Sequence[str]) -> Column:
    now = F.struct(*names)
    return now.eqNullSafe(F.struct(*(F.col("_before").getField(name).alias(name) for name in names)))
