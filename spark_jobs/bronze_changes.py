"""A range of a Kafka topic, read as one batch and appended to bronze with its offsets in the same commit."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from millrace.domain.change_offsets import Range
from spark_jobs.fenced_write import Target, append, read_at
from spark_jobs.transforms.envelope import parse


@dataclass(frozen=True)
class Arrived:
    """What a range turned out to hold.

    Attributes:
        malformed: Reason → messages that cannot be read.
        newest: Partition and offset of its newest row, and of the newest that has a value in each column that was asked
            for; of each partition.
    """

    messages: int
    malformed: dict[str, int]
    truncates: int
    newest: frozenset[tuple[int, int]]
    committed_until: datetime | None


@contextmanager
def read_range(spark: SparkSession, servers: str, part: Range) -> Iterator[DataFrame]:
    """The committed messages of a range, parsed; read from Kafka once, and kept on disk as long as the block runs."""
    changes = parse(read_messages(spark, servers, part)).drop("before").persist(StorageLevel.DISK_ONLY)
    try:
        yield changes
    finally:
        changes.unpersist()


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
    }
    messages = spark.read.format("kafka").options(**options).load()
    sent_at = F.col("timestamp").alias("sent_at")
    return messages.select("topic", "partition", "offset", sent_at, "key", "value", "headers")


def look_at(changes: DataFrame, columns: Iterable[str]) -> Arrived:
    """Counts of parsed messages, and which of them tell how the table is, in one pass."""
    row = F.col("after")
    has = [row.isNotNull(), *(row.getItem(name).isNotNull() for name in columns)]
    # Offsets, not the rows: the largest number of a group costs nothing, and the rows are few.
    newest = [F.max(F.when(it_has, F.col("offset"))) for it_has in has]
    kinds = changes.groupBy("partition", "operation", "malformed")
    found = kinds.agg(
        F.count("*").alias("messages"),
        F.max("committed_at").alias("until"),
        F.array_distinct(F.array(*newest)).alias("newest"),
    ).collect()
    malformed: dict[str, int] = {}
    for one in found:
        if one["malformed"] is not None:
            malformed[one["malformed"]] = malformed.get(one["malformed"], 0) + one["messages"]
    return Arrived(
        messages=sum(one["messages"] for one in found),
        malformed=malformed,
        truncates=sum(one["messages"] for one in found if one["operation"] == "t"),
        newest=frozenset((one["partition"], at) for one in found for at in one["newest"] if at is not None),
        committed_until=max((one["until"] for one in found if one["until"] is not None), default=None),
    )


def append_changes(changes: DataFrame, target: Target, *, ingested_at: datetime, run_id: str) -> None:
    """Append parsed messages, with their bytes as they came."""
    told = {"ingested_at": F.lit(ingested_at), "run_id": F.lit(run_id)}
    append(changes.drop("after").withColumns(told), target)


def written_twice(
    spark: SparkSession, table: str, snapshot_id: int, part: Range, *, since: datetime | None
) -> tuple[int, int]:
    """How many messages of a range a snapshot holds, and how many of them stand there once more.

    Args:
        since: When offsets were given up, so that those of messages ingested before may have come again.
    """
    (row,) = (
        read_at(spark, table, snapshot_id)
        # Another topic, of the table that was followed before, counts from 0 on, too.
        .where(F.col("topic") == part.topic)
        .where(F.lit(True) if since is None else F.col("ingested_at") >= F.lit(since))
        .where(F.expr(" OR ".join(f"(`partition` = {p} AND `offset` >= {start})" for p, start in part.start.items())))
        .select(F.count("*").alias("rows"), F.count_distinct("partition", "offset").alias("different"))
        .collect()
    )
    return row["rows"], row["rows"] - row["different"]


def _told(part: Range, offsets: dict[int, int]) -> str:
    return json.dumps({part.topic: {str(partition): offset for partition, offset in offsets.items()}})
