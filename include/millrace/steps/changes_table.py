"""The bronze table of a source's messages, changes and rows of producers: its schema, and what commits record."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pyiceberg.schema import Schema
from pyiceberg.types import BinaryType, IntegerType, LongType, NestedField, StringType, TimestamptzType

from millrace.adapters import lake
from millrace.domain.change_offsets import Range, Recorded

SCHEMA = Schema(
    NestedField(1, "topic", StringType(), required=True),
    NestedField(2, "partition", IntegerType(), required=True),
    NestedField(3, "offset", LongType(), required=True),
    NestedField(4, "sent_at", TimestamptzType(), required=True, doc="when it was sent, or came to the broker"),
    NestedField(
        5,
        "operation",
        StringType(),
        doc="c, u, d, r (snapshot), t (TRUNCATE), tombstone; json, json_envelope",
    ),
    NestedField(6, "epoch", StringType(), doc="epoch of the source database: since/system identifier/timeline"),
    NestedField(7, "lsn", LongType(), doc="position in the log of that epoch, in the order of commits"),
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
"""Snapshot property: topic, its id, and of each partition the offset before which bronze holds everything; and the same
of topics that were followed before, in case the contract names their table again."""

COMMITTED_UNTIL = "millrace.committed-until"
"""Snapshot property: when the newest change of the commit was committed, by the source database's clock; ISO 8601."""
RESUMED = "millrace.resumed"
"""Snapshot property of a commit without rows that `millrace resnapshot` made: when, and which offsets were given up.

From here on a topic's offsets may be those of messages that bronze took in before. Each later commit says it again: the
history back to the newest that does never expires.
"""


def offsets_after(part: Range, before: Mapping[str, Recorded]) -> str:
    """What a commit records that brings a range, after one that recorded `before`."""
    return offsets_told(part.topic, Recorded(part.topic_id, part.end), before)


def offsets_told(topic: str, recorded: Recorded, before: Mapping[str, Recorded]) -> str:
    """The property's value."""
    others = {name: _told(one) for name, one in before.items() if name != topic}
    return json.dumps({"topic": topic, **_told(recorded), "others": others})


def recorded_offsets(table: str, ref: str = lake.MAIN) -> dict[str, Recorded]:
    """The newest record in a ref's history: topic → what was taken in of it. Empty where nothing was taken in yet.

    By name, because a contract may name another table: that one's topic is read from its beginning.
    """
    commit = lake.newest_with(table, OFFSETS, ref)
    if commit is None:
        return {}
    told = json.loads(commit.properties[OFFSETS])
    return {topic: _recorded(one) for topic, one in (told["others"] | {told["topic"]: told}).items()}


def _told(recorded: Recorded) -> dict[str, Any]:
    offsets = {str(partition): offset for partition, offset in sorted(recorded.offsets.items())}
    return {"topic_id": recorded.topic_id, "offsets": offsets}


def _recorded(told: dict[str, Any]) -> Recorded:
    return Recorded(told["topic_id"], {int(partition): offset for partition, offset in told["offsets"].items()})


def resumed_told(given_up: tuple[str, ...]) -> str:
    return json.dumps({"at": datetime.now(UTC).isoformat(), "given_up": given_up})


def said_again(table: str, ref: str) -> dict[str, str]:
    """What a commit of new messages repeats of earlier ones."""
    commit = lake.newest_with(table, RESUMED, ref)
    return {} if commit is None else {RESUMED: commit.properties[RESUMED]}


def resumed_at(table: str, ref: str = lake.MAIN) -> datetime | None:
    """When offsets were last given up; what was ingested before has nothing to do with the offsets of today."""
    commit = lake.newest_with(table, RESUMED, ref)
    return None if commit is None else datetime.fromisoformat(json.loads(commit.properties[RESUMED])["at"])


def committed_until(table: str) -> datetime | None:
    """The commit time of the newest change that bronze took in; None before the first."""
    commit = lake.newest_with(table, COMMITTED_UNTIL)
    return None if commit is None else datetime.fromisoformat(commit.properties[COMMITTED_UNTIL])
