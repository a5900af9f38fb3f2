"""What a span of a source's changes tells of its table as a whole."""

from datetime import datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from millrace.domain.following import ChangePosition, Following, start_of
from spark_jobs.bronze_rows import known_by, of_span
from spark_jobs.transforms.change_rows import TRUNCATE

WITHIN_A_SNAPSHOT = ("first", "first_in_data_collection", "true")
"""What Debezium says of a row of the snapshot that an epoch begins with, but for the last one.

https://debezium.io/documentation/reference/3.5/connectors/postgresql.html#postgresql-create-events
"""


def followed(
    spark: SparkSession, table: str, *, after: int | None, until: int, ingested_by: datetime | None = None
) -> Following | None:
    """Look at the changes of a span; None where there is none.

    An epoch's changes come after the whole of its snapshot, so whatever is not part of one tells that it is complete.
    """
    changes = known_by(ingested_by, of_span(spark, table, after=after, until=until))
    changes = changes.where("malformed IS NULL AND epoch IS NOT NULL")
    complete = ~F.coalesce(F.col("snapshot"), F.lit("false")).isin(*WITHIN_A_SNAPSHOT)
    position = F.struct("epoch", F.col("lsn"), F.concat_ws("-", "topic", "partition"), F.col("offset"))
    [told] = changes.agg(
        F.min("epoch").alias("since"),
        F.max(F.when(complete, F.col("epoch"))).alias("complete"),
        F.max(F.when(F.col("operation") == TRUNCATE, position)).alias("truncated"),
    ).collect()
    if told["since"] is None:
        return None
    ends = [start_of(told["complete"])] if told["complete"] else []
    ends += [ChangePosition(*told["truncated"])] if told["truncated"] else []
    return Following(told["since"], max(ends, default=None))
