"""Messages sent to a topic as a careful producer sends them: none twice by its own retries, none lost unheard."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, Message, Producer

from millrace.adapters import topics
from millrace.contract.errors import MillraceError
from millrace.settings import get_settings

DELIVERY_SECONDS = 60
"""How long a broker may be away."""
FULL_SECONDS = 0.5


@contextmanager
def producing(topic: str) -> Iterator[Callable[[bytes | None], None]]:
    """What sends a message; at the end of the block each was taken by the broker.

    Raises:
        NoTopicError: If there is no such topic: nobody would hear of it for a minute.
        MillraceError: If a message was not delivered within a minute.
    """
    topics.state(topic)
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        failed.extend([error] if error is not None else [])

    def send(value: bytes | None) -> None:
        while True:
            try:
                producer.produce(topic, value, on_delivery=delivered)
                break
            except BufferError:  # the broker is slower than we are
                producer.poll(FULL_SECONDS)
        producer.poll(0)
        if failed:
            raise _undelivered(topic, failed)

    producer = Producer(
        {
            "bootstrap.servers": get_settings().kafka_servers,
            # Its own retries bring no message twice, nor in another order.
            "enable.idempotence": True,
            "delivery.timeout.ms": DELIVERY_SECONDS * 1000,
            "log_level": 0,
        }
    )
    yield send
    left = producer.flush(DELIVERY_SECONDS + 5)
    if failed or left:
        raise _undelivered(topic, failed)


def _undelivered(topic: str, failed: list[KafkaError]) -> MillraceError:
    return MillraceError(
        f"Messages were not delivered to topic {topic}",
        place=f"Kafka, {get_settings().kafka_servers}",
        found=failed[0].str() if failed else f"no answer within {DELIVERY_SECONDS} s",
        expected="a broker that takes each of them",
        fix="`make status` shows what runs, `make logs SERVICE=kafka` says more",
    )
