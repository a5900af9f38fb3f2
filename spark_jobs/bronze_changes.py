"""A range of a Kafka topic, read as one batch and appended to bronze with its offsets in the same commit."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from millrace.domain.change_offsets import Range
from spark_jobs.fenced_write import Target, append, read_at
from spark_jobs.transforms.envelope import TRUNCATE, parse

A_TASK_MESSAGES = 250_000
"""Messages that are enough for a task of their own."""


@dataclass(frozen=True)
class Held:
    """What a branch of bronze holds of a range.

    Attributes:
        twice: How many of the messages stand there once more.
        malformed: Reason → messages that cannot be read.
        truncates: Messages that tell that the table was emptied.
    """

    messages: int
    twice: int
    malformed: dict[str, int]
    truncates: int


def read_messages(spark: SparkSession, servers: str, part: Range) -> DataFrame:
    """The messages of a range as they are; those of aborted transactions are left out."""
    options = {
        "kafka.bootstrap.servers": servers,
        "assign": json.dumps({part.topic: sorted(part.end)}),
        "startingOffsets": _told(part, part.start),
        "endingOffsets": _told(part, part.end),
        # By default messages of aborted and of open transactions come, too.
        "kafka.isolation.level": "read_committed",
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        # Before each poll Spark asks the broker where the topic begins and ends: 500 rows a poll would be too few.
        "kafka.max.poll.records": "50000",
        "kafka.max.partition.fetch.bytes": str(8 * 1024**2),
        # One task for a partition would leave cores idle while it parses.
        "minPartitions": str(max(len(part.end), part.messages // A_TASK_MESSAGES)),
    }
    messages = spark.read.format("kafka").options(**options).load()
    sent_at = F.col("timestamp").alias("sent_at")
    return messages.select("topic", "partition", "offset", sent_at, "key", "value", "headers")


def append_range(
    spark: SparkSession,
    servers: str,
    part: Range,
    target: Target,
    *,
    read: Callable[[DataFrame], DataFrame] = parse,
    ingested_at: datetime,
    run_id: str,
) -> None:
    """Append the committed messages of a range, with their bytes as they came, and what they say of themselves.

    Args:
        read: What reads messages of this topic: `envelope.parse`, or `message_rows.parse_rows`.
    """
    told = {"ingested_at": F.lit(ingested_at), "run_id": F.lit(run_id)}
    append(read(read_messages(spark, servers, part)).withColumns(told), target)


def held(spark: SparkSession, table: str, snapshot_id: int, part: Range, *, since: datetime | None) -> Held:
    """Look at what a snapshot holds of a range.

    Args:
        since: When offsets were given up, so that those of messages ingested before may have come again.
    """
    rows = (
        read_at(spark, table, snapshot_id)
        # Another topic, of the table that was followed before, counts from 0 on, too.
        .where(F.col("topic") == part.topic)
        .where(F.lit(True) if since is None else F.col("ingested_at") >= F.lit(since))
        .where(F.expr(" OR ".join(f"(`partition` = {p} AND `offset` >= {start})" for p, start in part.start.items())))
    )
    # Numbers alone, for Spark sorts what it groups with texts: of half a million rows that takes seconds.
    once = rows.groupBy("partition", "offset").agg(F.count("*").alias("times"))
    (numbers,) = once.agg(
        F.coalesce(F.sum("times"), F.lit(0)).alias("messages"), F.count("*").alias("different")
    ).collect()
    kinds = rows.groupBy("malformed", (F.col("operation") == TRUNCATE).alias("truncates")).count().collect()
    malformed: dict[str, int] = {}
    for one in kinds:
        if one["malformed"] is not None:
            malformed[one["malformed"]] = malformed.get(one["malformed"], 0) + one["count"]
    return Held(
        messages=numbers["messages"],
        twice=numbers["messages"] - numbers["different"],
        malformed=malformed,
        truncates=sum(one["count"] for one in kinds if one["truncates"]),
    )


def _told(part: Range, offsets: dict[int, int]) -> str:
    return json.dumps({part.topic: {str(partition): offset for partition, offset in offsets.items()}})
