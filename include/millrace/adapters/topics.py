"""Topics of Kafka: their offsets, and how long their oldest message waits. Every question ends within seconds."""

import os
from collections.abc import Iterator
from functools import cache

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from millrace.adapters.unreachable import unreachable
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.domain.change_offsets import Range, TopicState
from millrace.settings import get_settings

PATIENCE_SECONDS = 5.0
Options = dict[str, str | int | float | bool]
READ_SOME: Options = {
    # No group is joined, and nothing committed: bronze records what it has taken in.
    "group.id": "millrace-look",
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    # Without it the end of a partition that holds markers alone looks like a broker that is slow.
    "enable.partition.eof": True,
}
READ_ONE = READ_SOME | {"fetch.message.max.bytes": 65_536}


class NoTopicError(MillraceError):
    """There is no topic of that name, or not yet."""


def ping() -> None:
    """Raises `MillraceError` when no broker answers within seconds."""
    try:
        _admin(_servers(), os.getpid()).list_topics(timeout=PATIENCE_SECONDS)
    except KafkaException as error:
        raise _failed("", error) from error


def state(topic: str) -> TopicState:
    """The topic's id, its earliest offsets, and its last stable ones: before those no transaction is open.

    Raises:
        NoTopicError: If there is no such topic.
        MillraceError: If the broker does not answer within seconds.
    """
    admin = _admin(_servers(), os.getpid())
    try:
        told = admin.describe_topics(TopicCollection([topic]), request_timeout=PATIENCE_SECONDS)
        described = told[topic].result(PATIENCE_SECONDS)
        partitions = [TopicPartition(topic, one.id) for one in described.partitions]
        asked = [
            admin.list_offsets(
                dict.fromkeys(partitions, spec),
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=PATIENCE_SECONDS,
            )
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
        ]
        earliest, end = (
            {partition.partition: int(answer.result(PATIENCE_SECONDS).offset) for partition, answer in answers.items()}
            for answers in asked
        )
        return TopicState(topic, str(described.topic_id), earliest, end)
    except (KafkaException, TimeoutError) as error:
        raise _failed(topic, error) from error


def delete_all(problem: str) -> None:
    """Deletes all topics of a problem: what its connector sent (changes, notifications, heartbeats), and its gold rows.

    Raises:
        MillraceError: If the broker does not answer within seconds.
    """
    admin = _admin(_servers(), os.getpid())
    published = names.published_topic(problem)
    try:
        ours = [
            one
            for one in admin.list_topics(timeout=PATIENCE_SECONDS).topics
            if problem in one.split(".") or one == published
        ]
        for deleted in (admin.delete_topics(ours) if ours else {}).values():
            deleted.result(PATIENCE_SECONDS)
    except (KafkaException, TimeoutError) as error:
        raise _failed("", error) from error


def send(topic: str, value: bytes) -> int:
    """Sends a message that is as it is, without key and headers: the drill of one that nobody can read; its offset.

    Raises:
        MillraceError: If the broker does not take it within seconds.
    """
    sent: list[int] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is None:
            sent.append(int(message.offset() or 0))

    producer = Producer(_options(_servers()))
    producer.produce(topic, value, on_delivery=delivered)
    producer.flush(PATIENCE_SECONDS)
    if not sent:
        raise _failed(topic, TimeoutError())
    return sent[0]


def oldest_at(part: Range) -> float | None:
    """When the oldest message of a range was sent, seconds since 1970; None when it holds markers alone.

    Raises:
        MillraceError: If the broker does not answer within seconds.
    """
    found: list[float] = []
    waiting = {partition for partition, end in part.end.items() if end > part.start[partition]}
    for partition, message in _read(part, waiting, READ_ONE):
        if partition in waiting and message is not None:
            found.append(message.timestamp()[1] / 1000)
        waiting.discard(partition)
    return min(found, default=None)


def values(part: Range) -> list[bytes]:
    """The messages of a short range, and those that came after it meanwhile; without tombstones.

    Raises:
        MillraceError: If the broker does not answer within seconds.
    """
    found: list[bytes] = []
    waiting = {partition for partition, end in part.end.items() if end > part.start[partition]}
    for partition, message in _read(part, waiting, READ_SOME):
        if message is None:
            waiting.discard(partition)
        elif (value := message.value()) is not None:
            found.append(value)
    return found


def _read(part: Range, waiting: set[int], options: Options) -> Iterator[tuple[int, Message | None]]:
    """Messages of a range as long as the caller waits for a partition; None is the end of one."""
    if not waiting:
        return
    consumer = Consumer(_options(_servers()) | options)
    try:
        consumer.assign([TopicPartition(part.topic, partition, part.start[partition]) for partition in waiting])
        while waiting:
            message = consumer.poll(PATIENCE_SECONDS)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            yield int(message.partition() or 0), None if error else message
    except KafkaException as error:
        raise _failed(part.topic, error) from error
    finally:
        consumer.close()


def _servers() -> str:
    return get_settings().kafka_servers


def _options(servers: str) -> Options:
    # The library would write each failed connection to standard error.
    return {"bootstrap.servers": servers, "log_level": 0, "socket.connection.setup.timeout.ms": 3000}


@cache
def _admin(servers: str, _process: int) -> AdminClient:
    """One client a process: a connection is made once, and does not survive a fork."""
    return AdminClient(_options(servers))


def _failed(topic: str, error: Exception) -> MillraceError:
    told = error.args[0] if error.args else error
    if isinstance(told, KafkaError) and told.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return NoTopicError(
            f"There is no topic {topic}",
            place=f"Kafka, {_servers()}",
            found="no topic of that name",
            expected="the topic of a problem whose source has a section `changes` or `topic`",
            fix="the service connectors makes it: `make status` shows whether that runs and what it misses",
        )
    words = told.str() if isinstance(told, KafkaError) else f"no answer within {PATIENCE_SECONDS:g} s"
    return unreachable("Kafka", _servers(), RuntimeError(words))
