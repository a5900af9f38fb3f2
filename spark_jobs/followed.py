"""What a span of a source's changes tells of its table as a whole."""

from datetime import datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from millrace.contract.source_epoch import FOREIGN
from millrace.domain.following import ChangePosition, EpochSeen, Following
from spark_jobs.bronze_rows import known_by, of_span
from spark_jobs.transforms.envelope import LAST_OF_A_SNAPSHOT, TRUNCATE, of_a_snapshot, place


def followed(
    spark: SparkSession, table: str, *, after: int | None, until: int, ingested_by: datetime | None = None
) -> Following | None:
    """Look at the changes of a span; None where there is none."""
    changes = known_by(ingested_by, of_span(spark, table, after=after, until=until))
    changes = changes.where("malformed IS NULL AND epoch IS NOT NULL")
    position = F.struct("epoch", "lsn", place(), "offset")
    found = (
        changes.groupBy("epoch")
        .agg(
            F.max(F.when(of_a_snapshot(), F.col("lsn"))).alias("snapshot"),
            F.max(F.when(F.col("snapshot").isin(*LAST_OF_A_SNAPSHOT), F.col("lsn"))).alias("last"),
            F.bool_or(~of_a_snapshot()).alias("streams"),
            F.max(F.when(F.col("operation") == TRUNCATE, position)).alias("truncated"),
        )
        .collect()
    )
    if not found:
        return None
    truncates = [ChangePosition(*one["truncated"]) for one in found if one["truncated"]]
    epochs = {one["epoch"]: EpochSeen(one["snapshot"], one["last"], one["streams"]) for one in found}
    if str(FOREIGN) in epochs:
        # Its owner may take a snapshot whenever he likes, in the middle of changes: what one lacks is not told.
        epochs[str(FOREIGN)] = EpochSeen(None, None, streams=True)
    return Following(epochs, max(truncates, default=None))
