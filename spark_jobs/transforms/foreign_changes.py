"""Changes that somebody else's Debezium connector sent: in an envelope of their schema or without, and of no epoch."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.source_epoch import FOREIGN, HEADER
from spark_jobs.transforms.envelope import parse


def parse_foreign(messages: DataFrame) -> DataFrame:
    """As `envelope.parse`; the message's own bytes stay as they came."""
    epoch = F.struct(F.lit(HEADER).alias("key"), F.lit(str(FOREIGN)).cast("binary").alias("value"))
    read = messages.withColumns({"_came": F.col("value"), "value": _change(), "headers": F.array(epoch)})
    return parse(read).withColumn("value", F.col("_came")).drop("_came")


def _change() -> Column:
    """The change of a message: what its envelope holds, or all of it."""
    text = F.when(F.is_valid_utf8(F.col("value")), F.col("value").cast("string"))
    # As text, an object is its JSON.
    payload = F.from_json(text, "struct<payload: string>").getField("payload")
    return F.coalesce(payload.cast("binary"), F.col("value"))
