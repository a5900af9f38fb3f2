"""Topics of followed tables and of producers: there, and as they must be, before the first message comes."""

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from infra.services.kafka import client_options
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

PATIENCE_SECONDS = 10
RETENTION_DAYS = 7
CONFIGURATION = {
    "cleanup.policy": "delete",
    # Bronze keeps what came. Until then it waits here: longer than a weekend on which nobody looks.
    "retention.ms": str(RETENTION_DAYS * 24 * 3600 * 1000),
    "retention.bytes": "-1",
    # By the time of sending, so that the age of a message is how long it waits.
    "message.timestamp.type": "CreateTime",
}
OF_PRODUCERS = CONFIGURATION | {
    # By the broker's clock: a producer's may stand anywhere, and what it dates back by a week would be gone at once.
    "message.timestamp.type": "LogAppendTime",
}


def ensure_topic(
    name: str, settings: Settings, *, partitions: int = 1, configuration: Mapping[str, str] = CONFIGURATION
) -> bool:
    """Makes a topic that is not there; returns whether it did. One that is there stays as it is, whoever made it.

    Args:
        partitions: One for the changes of a table, which are read in the order in which they were committed.

    Raises:
        MillraceError: If the broker does not answer, or refuses.
    """
    admin = AdminClient(client_options(settings))
    try:
        if name in admin.list_topics(timeout=PATIENCE_SECONDS).topics:
            return False
        wanted = NewTopic(name, num_partitions=partitions, replication_factor=1, config={**configuration})
        admin.create_topics([wanted], request_timeout=PATIENCE_SECONDS)[name].result(PATIENCE_SECONDS)
        return True
    except KafkaException as error:
        told: KafkaError = error.args[0]
        if told.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise MillraceError(
            f"Topic {name} could not be made",
            place=f"Kafka, {settings.kafka_servers}",
            found=told.str(),
            expected="a broker that answers",
            fix="`make status` shows what runs, `make logs SERVICE=kafka` says more",
        ) from error
