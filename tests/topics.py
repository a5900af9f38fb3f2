"""Messages as Debezium sends them, sent by a test: so it can say things that no real connector would."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from confluent_kafka import Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from infra.connectors.topics import ensure_topic
from millrace.adapters import topics
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.contract.source_epoch import HEADER, SourceEpoch
from millrace.settings import get_settings
from tests.awaiting import await_that

EPOCH = SourceEpoch(1_796_000_000, 7_423_000_000_000_000_001, 1)


def change(
    operation: str,
    *,
    after: dict[str, Any] | None = None,
    before: dict[str, Any] | None = None,
    lsn: int = 100,
    key: tuple[str, ...] = ("id",),
    epoch: SourceEpoch = EPOCH,
    snapshot: str = "false",
) -> dict[str, Any]:
    """A message of one change, as `Sender.send` takes it."""
    row = after if after is not None else before
    source = {"lsn": lsn, "txId": 7, "ts_us": 1_796_000_000_000_000 + lsn, "snapshot": snapshot, "table": "rows"}
    value = {"op": operation, "before": before, "after": after, "source": source, "ts_ms": 1}
    told_key = None if row is None else json.dumps({name: row[name] for name in key}).encode()
    return {"key": told_key, "value": json.dumps(value).encode(), "headers": [(HEADER, str(epoch).encode())]}


def produced(value: object) -> dict[str, Any]:
    """A message of a producer, as `Sender.send` takes it: bytes and None as they are, all else as JSON."""
    return {"value": value if value is None or isinstance(value, bytes) else json.dumps(value).encode()}


class Sender:
    """Sends to a topic, of a problem's changes if no other is named, in transactions."""

    def __init__(self, problem: Problem, topic: str | None = None) -> None:
        self.topic = topic or str(problem.change_topic)
        self.producer = Producer(
            {
                "bootstrap.servers": get_settings().kafka_servers,
                "transactional.id": f"test-{uuid.uuid4().hex}",
                "linger.ms": 0,
                # A transaction stays open while a slow machine ingests.
                "transaction.timeout.ms": 600_000,
                "log_level": 0,
            }
        )
        self.producer.init_transactions(30)
        self.admin = AdminClient({"bootstrap.servers": get_settings().kafka_servers, "log_level": 0})
        self.partition, self.newest = 0, -1

    def begin(self, *messages: dict[str, Any]) -> None:
        """Sends messages in a transaction that stays open."""
        self.producer.begin_transaction()
        for message in messages:
            self.producer.produce(self.topic, on_delivery=self._delivered, **message)
        assert self.producer.flush(30) == 0

    def commit(self) -> None:
        self.producer.commit_transaction(30)
        self._await_marker()

    def abort(self) -> None:
        self.producer.abort_transaction(30)
        self._await_marker()

    def _delivered(self, _error: object, message: Message) -> None:
        self.partition, self.newest = int(message.partition() or 0), int(message.offset() or 0)

    def _await_marker(self) -> None:
        """The producer is told before the topic has the end of the transaction, and only then its messages count."""
        place = TopicPartition(self.topic, self.partition)

        def is_written() -> bool:
            # Its very end: the last stable one stands before the transactions of others.
            answer = self.admin.list_offsets({place: OffsetSpec.latest()}, request_timeout=10)[place]
            return int(answer.result(10).offset) > self.newest + 1

        await_that("the end of the transaction is written", is_written, seconds=30)

    def send(self, *messages: dict[str, Any]) -> None:
        self.begin(*messages)
        self.commit()


@contextmanager
def own_topic(problem: Problem, topic: str | None = None) -> Iterator[Sender]:
    """A topic, of a problem's changes if no other is named, with one who sends to it; it is gone afterwards."""
    name = topic or str(problem.change_topic)
    ensure_topic(name, get_settings())
    try:
        yield Sender(problem, name)
    finally:
        delete_topic(name)


def delete_topic(topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": get_settings().kafka_servers, "log_level": 0})
    admin.delete_topics([topic])[topic].result(30)


def made_anew(topic: str) -> None:
    """Delete a topic, and make it again, empty."""
    before = topics.state(topic).topic_id
    delete_topic(topic)

    def is_another() -> bool:
        with suppress(MillraceError):
            ensure_topic(topic, get_settings())
            return topics.state(topic).topic_id != before
        return False

    # It is gone for whoever asks before its name is free.
    await_that("the topic is there anew", is_another, seconds=120)


def delete_messages_before(topic: str, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": get_settings().kafka_servers, "log_level": 0})
    [done] = admin.delete_records([TopicPartition(topic, 0, offset)]).values()
    done.result(30)


def rows(prefix: str, count: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Inserted rows of the columns of `tests.steps.transforming`."""
    seen = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_796_000_000))
    return [
        change(
            "c", after={"id": f"{prefix}{n}", "seen_at": seen, "size": 5.5, "note": "x", "phone": "1", "sold": 1}, lsn=n
        )
        for n in range(first, first + count)
    ]
