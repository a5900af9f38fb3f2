"""The bronze table of a source's changes: its schema, and what its commits record of the topic."""

import json

from pyiceberg.schema import Schema
from pyiceberg.types import BinaryType, IntegerType, LongType, NestedField, StringType, TimestamptzType

from millrace.adapters import lake
from millrace.domain.change_offsets import Range, Recorded

SCHEMA = Schema(
    NestedField(1, "topic", StringType(), required=True),
    NestedField(2, "partition", IntegerType(), required=True),
    NestedField(3, "offset", LongType(), required=True),
    NestedField(4, "sent_at", TimestamptzType(), required=True, doc="when Debezium sent it"),
    NestedField(5, "operation", StringType(), doc="c, u, d, r (snapshot), t (TRUNCATE), or tombstone"),
    NestedField(6, "epoch", StringType(), doc="epoch of the source database: since/system identifier/timeline"),
    NestedField(7, "lsn", LongType(), doc="position in the log of that epoch"),
    NestedField(8, "transaction_id", LongType()),
    NestedField(9, "committed_at", TimestamptzType(), doc="by the clock of the source database"),
    NestedField(10, "snapshot", StringType(), doc="false, or which part of a snapshot it is"),
    NestedField(11, "malformed", StringType(), doc="why the message cannot be read"),
    NestedField(12, "key", BinaryType(), doc="the message as it came"),
    NestedField(13, "value", BinaryType(), doc="null in a tombstone"),
    NestedField(14, "ingested_at", TimestamptzType(), required=True),
    NestedField(15, "run_id", StringType(), required=True),
)

OFFSETS = "millrace.kafka-offsets"
"""Snapshot property: the topic's id, and of each partition the offset before which bronze holds everything."""


def offsets_after(part: Range) -> str:
    """What a commit records that brings a range."""
    return json.dumps({"topic_id": part.topic_id, "offsets": {str(p): end for p, end in sorted(part.end.items())}})


def recorded_offsets(table: str, ref: str = lake.MAIN) -> Recorded | None:
    """The newest record in a ref's history; None where nothing was taken in yet."""
    commit = lake.newest_with(table, OFFSETS, ref)
    if commit is None:
        return None
    told = json.loads(commit.properties[OFFSETS])
    return Recorded(told["topic_id"], {int(partition): offset for partition, offset in told["offsets"].items()})
