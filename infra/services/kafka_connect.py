"""Kafka Connect: one distributed worker, in which Debezium reads the logs of two databases. Not Spark Connect."""

import hashlib
from pathlib import Path

from infra.connectors import rest
from infra.files import write_private
from infra.paths import CONNECT_PLUGINS
from infra.services import java
from infra.services.service import Launch, Service
from millrace.settings import Settings

HEAP_MEGABYTES = 512
# The names that a connector's configuration may look up in the worker's environment.
LOOKED_UP = "DEBEZIUM_PASSWORD"
LOOKED_UP_OF_WAREHOUSE = "WAREHOUSE_DEBEZIUM_PASSWORD"
OPTIONS = {
    "group.id": "millrace-connect",
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    # The contract knows the types: a schema in each message would be most of it.
    "key.converter.schemas.enable": "false",
    "value.converter.schemas.enable": "false",
    "config.storage.topic": "_connect_configs",
    "offset.storage.topic": "_connect_offsets",
    "status.storage.topic": "_connect_status",
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "offset.storage.partitions": "1",
    "status.storage.partitions": "1",
    # Messages and the position in the log that they came from are one transaction: a killed worker repeats nothing.
    "exactly.once.source.support": "enabled",
    # A worker that was killed is believed to be alive for so long; until then its successor runs no task.
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "2000",
    "scheduled.rebalance.max.delay.ms": "0",
    "plugin.discovery": "service_load",
    # Whoever may make a connector runs code here and reads what it reads, so the worker asks for a password.
    "rest.extension.classes": "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
    # A connector's configuration names the password; its value is in the environment alone, and REST never shows it.
    "config.providers": "env",
    "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
    "config.providers.env.param.allowlist.pattern": f"{LOOKED_UP}|{LOOKED_UP_OF_WAREHOUSE}",
}
LOGIN = """\
KafkaConnect {{
  org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required
  file="{users}";
}};
"""


def launch(settings: Settings) -> Launch:
    folder = _folder(settings)
    return Launch(
        argv=java.command(
            "org.apache.kafka.connect.cli.ConnectDistributed",
            str(folder / "connect.properties"),
            heap_megabytes=HEAP_MEGABYTES,
            logging=folder / "log4j2.properties",
            options=(
                f"-Djava.security.auth.login.config={folder / 'login.conf'}",
                java.metrics("connect", settings.port("kafka_connect_metrics")),
            ),
        ),
        environment={
            LOOKED_UP: settings.source_debezium_password.get_secret_value(),
            LOOKED_UP_OF_WAREHOUSE: settings.warehouse_debezium_password.get_secret_value(),
            # Changes with the files, so that `make up` restarts the worker when it must.
            "MILLRACE_CONNECT_CONF": hashlib.sha256("".join(_files(settings).values()).encode()).hexdigest(),
        },
    )


def prepare(settings: Settings) -> None:
    """Writes the configuration, and who may use the REST interface."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in _files(settings).items():
        write_private(folder / name, text)


def configuration(settings: Settings) -> dict[str, str]:
    """`connect.properties`."""
    return OPTIONS | {
        "bootstrap.servers": settings.kafka_servers,
        "listeners": f"http://127.0.0.1:{settings.port('kafka_connect')}",
        "plugin.path": str(CONNECT_PLUGINS),
    }


def waiting_for(settings: Settings) -> str | None:
    return rest.missing(settings)


def _files(settings: Settings) -> dict[str, str]:
    return {
        "connect.properties": java.properties(configuration(settings)),
        "log4j2.properties": java.LOGGING,
        "login.conf": LOGIN.format(users=_folder(settings) / "users.properties"),
        "users.properties": f"{rest.USER}={settings.kafka_connect_password.get_secret_value()}\n",
    }


def _folder(settings: Settings) -> Path:
    return settings.home / "kafka_connect"


SERVICE = Service(
    name="kafka_connect",
    title="Kafka Connect",
    port="kafka_connect",
    more_ports=("kafka_connect_metrics",),
    launch=launch,
    prepare=prepare,
    waiting_for=waiting_for,
    wanted=lambda settings: not settings.kafka_connect_address,
    after=("kafka", "source_database"),
    patience_seconds=180,
    stop_seconds=30,
)
