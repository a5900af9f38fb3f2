"""The configuration of a connector: of a problem's, from its contract, and of the warehouse's. Pure: it asks nobody."""

from collections.abc import Iterable

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.contract.source_epoch import HEADER, SourceEpoch
from millrace.settings import Settings

HEARTBEAT_SECONDS = 5
EPOCH_LITERAL = "transforms.epoch.value.literal"
SHORT_LIVED = {
    # Heartbeats, signals, and what is told of snapshots: nobody reads them from the topic later.
    "topic.creation.default.partitions": "1",
    "topic.creation.default.replication.factor": "1",
    "topic.creation.default.cleanup.policy": "delete",
    "topic.creation.default.retention.ms": str(24 * 3600 * 1000),
}


PUBLISHED_DAYS = 7
PUBLISHED = {
    # Made by Connect itself, with the first row of a table: no load waits for anybody, and no topic is as others are.
    "topic.creation.groups": "published",
    "topic.creation.published.include": r"warehouse\.warehouse\.serving_.*",
    "topic.creation.published.partitions": "1",
    "topic.creation.published.replication.factor": "1",
    # Who reads within days sees each published row, who comes later the newest of each key, however old it is.
    "topic.creation.published.cleanup.policy": "compact",
    "topic.creation.published.min.compaction.lag.ms": str(PUBLISHED_DAYS * 24 * 3600 * 1000),
    # How long a deletion is told after that.
    "topic.creation.published.delete.retention.ms": str(PUBLISHED_DAYS * 24 * 3600 * 1000),
    "topic.creation.published.message.timestamp.type": "CreateTime",
}


def render(problem: Problem, settings: Settings, epoch: SourceEpoch) -> dict[str, str]:
    """What Connect is told of a problem. The topic of the table itself is made before: `topics.py`."""
    signal = names.signal_table(problem.problem)
    tables = (str(problem.change_table), names.heartbeat_table(problem.problem), signal)
    return _of_every_connector(problem.problem, (table.replace(".", "\\.") for table in tables), epoch) | {
        "database.hostname": settings.source_database_host,
        "database.port": str(settings.port("source_database")),
        # Looked up by the worker in its own environment (`infra/services/kafka_connect.py`); REST shows these words.
        "database.password": "${env:DEBEZIUM_PASSWORD}",
        "database.dbname": "source",
        "signal.enabled.channels": "source",
        "signal.data.collection": signal,
        # By default TRUNCATE is left out, and the rows would stay for ever.
        "skipped.operations": "none",
    }


def render_warehouse(settings: Settings, epoch: SourceEpoch) -> dict[str, str]:
    """What Connect is told of the serving tables, those to come too: none of them makes the connector begin anew."""
    heartbeat = names.heartbeat_table(names.WAREHOUSE).replace(".", "\\.")
    return _of_every_connector(names.WAREHOUSE, (r"warehouse\.serving_.*", heartbeat), epoch) | {
        "database.hostname": settings.postgres_host,
        "database.port": str(settings.port("postgres")),
        "database.password": "${env:WAREHOUSE_DEBEZIUM_PASSWORD}",
        "database.dbname": names.WAREHOUSE,
        # Also of a table that is dropped when its rows are read from the log, and has no key any more: a topic that is
        # compacted takes no message without one, and the task would fail for ever.
        "message.key.columns": r"warehouse\.serving_.*:row_key",
        # For the same reason; a load deletes rows one by one.
        "skipped.operations": "t",
        **PUBLISHED,
    }


def _of_every_connector(subject: str, tables: Iterable[str], epoch: SourceEpoch) -> dict[str, str]:
    """What holds for all. `subject`: the problem, or the warehouse; `tables`: as patterns."""
    name, heartbeat = names.connector(subject), names.heartbeat_table(subject)
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "exactly.once.support": "required",
        "database.user": "debezium",
        # Fails each connection to a database of another epoch: one that was restored under a running connector would
        # go on sending with the epoch of its predecessor, and from a log position that means something else.
        "database.initial.statements": f"SELECT millrace.demand_epoch('{epoch.database}')",
        "topic.prefix": subject,
        "plugin.name": "pgoutput",
        "publication.name": name,
        # It is ours to make: Debezium's right is to read, and of the contract's tables only.
        "publication.autocreate.mode": "disabled",
        "slot.name": name,
        "slot.drop.on.stop": "false",
        "table.include.list": ",".join(tables),
        "snapshot.mode": "initial",
        # Whether a signal was heard, how far its snapshot is, when it ends, an empty table's too: no row tells that.
        "notification.enabled.channels": "sink",
        "notification.sink.topic.name": names.notification_topic(subject),
        # Moves the slot when only other tables are written to, or other databases of the server; without it the log
        # would be kept for ever.
        "heartbeat.interval.ms": str(HEARTBEAT_SECONDS * 1000),
        "heartbeat.action.query": f"INSERT INTO {heartbeat} (id, at) VALUES (1, now())"
        " ON CONFLICT (id) DO UPDATE SET at = excluded.at",
        "tombstones.on.delete": "true",
        "decimal.handling.mode": "string",
        # As texts in UTC. By default a date is a number of days and a timestamp one of microseconds, and nothing in a
        # message without a schema tells them apart.
        "time.precision.mode": "isostring",
        "binary.handling.mode": "base64",
        # Each change names its transaction already; a topic of their beginnings and ends would tell nothing more.
        "provide.transaction.metadata": "false",
        # Headers that name connector and task, longer than many a row.
        "extended.headers.enabled": "false",
        "event.processing.failure.handling.mode": "fail",
        # A database that is away for longer than these makes the task fail, and then the keeper tells why and starts it
        # again. A task that tries for ever says of itself that it runs.
        "errors.max.retries": "3",
        "retriable.restart.connector.wait.ms": "3000",
        "poll.interval.ms": "100",
        "max.batch.size": "4096",
        "max.queue.size": "16384",
        "max.queue.size.in.bytes": str(32 * 1024**2),
        "producer.override.compression.type": "lz4",
        # The open transaction of a killed worker holds every reader back until it times out; ours take no second.
        "producer.override.transaction.timeout.ms": "20000",
        "transforms": "epoch",
        "transforms.epoch.type": "org.apache.kafka.connect.transforms.InsertHeader",
        "transforms.epoch.header": HEADER,
        EPOCH_LITERAL: str(epoch),
        **SHORT_LIVED,
    }
