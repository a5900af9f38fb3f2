"""Kafka: one broker that is its own controller (KRaft). It listens on loopback and asks nobody who he is."""

import base64
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra import probes
from infra.files import write_private
from infra.services import java
from infra.services.service import Launch, Service
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

HEAP_MEGABYTES = 384
OPTIONS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "num.network.threads": "2",
    "num.io.threads": "4",
    # A topic is made by whoever knows how it must be: a typing error is no topic.
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    # One broker has one copy of everything; more brokers, more copies.
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # Of the compactor's 128 MB, for topics of a few thousand keys.
    "log.cleaner.dedupe.buffer.size": "16777216",
}


def launch(settings: Settings) -> Launch:
    folder = _folder(settings)
    return Launch(
        argv=java.command(
            "kafka.Kafka",
            str(folder / "server.properties"),
            heap_megabytes=HEAP_MEGABYTES,
            logging=folder / "log4j2.properties",
            options=(java.metrics("kafka", settings.port("kafka_metrics")),),
        ),
        # Changes with the configuration file, so that `make up` restarts the broker when it must.
        environment={"MILLRACE_KAFKA_CONF": hashlib.sha256(_text(settings, _data(settings)).encode()).hexdigest()},
    )


def prepare(settings: Settings) -> None:
    """Writes the configuration, and makes the data folder once: beside its place, renamed when complete."""
    folder, data = _folder(settings), _data(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(folder / "log4j2.properties", java.LOGGING)
    write_private(folder / "server.properties", _text(settings, data))
    if (data / "meta.properties").exists():
        return
    half = folder / "data.half"
    shutil.rmtree(half, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    write_private(folder / "format.properties", _text(settings, half))
    command = java.command(
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={_new_cluster_id()}",
        f"--config={folder / 'format.properties'}",
        heap_megabytes=128,
        logging=folder / "log4j2.properties",
    )
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
    if done.returncode != 0:
        raise MillraceError(
            "Kafka's data folder could not be made",
            place=str(half),
            found=(done.stderr or done.stdout).strip()[-600:],
            expected="a formatted folder",
            fix="run `make doctor`: Kafka needs Java 17 or 21",
        )
    half.rename(data)


def configuration(settings: Settings, data: Path) -> dict[str, str]:
    """`server.properties`."""
    broker, controller = f"127.0.0.1:{settings.port('kafka')}", f"127.0.0.1:{settings.port('kafka_controller')}"
    return OPTIONS | {
        "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "controller.quorum.voters": f"1@{controller}",
        "log.dirs": str(data),
    }


def waiting_for(settings: Settings) -> str | None:
    """Ready when it answers a question about the cluster; its port is open before."""
    if missing := probes.tcp(settings.port("kafka")):
        return missing
    try:
        AdminClient(client_options(settings)).list_topics(timeout=3)
    except KafkaException as error:
        return f"it does not tell its topics ({error.args[0].str()})"
    return None


def client_options(settings: Settings) -> dict[str, str | int | float | bool]:
    """What a client of ours is made with. Its library would write every failed connection to standard error."""
    return {"bootstrap.servers": settings.kafka_servers, "log_level": 0}


def _text(settings: Settings, data: Path) -> str:
    return java.properties(configuration(settings, data))


def _new_cluster_id() -> str:
    """A random id as Kafka writes them: 16 bytes in URL-safe base64, and no option of a command."""
    while (made := base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")).startswith("-"):
        continue
    return made


def _folder(settings: Settings) -> Path:
    return settings.home / "kafka"


def _data(settings: Settings) -> Path:
    return _folder(settings) / "data"


SERVICE = Service(
    name="kafka",
    title="Kafka 4.3",
    port="kafka",
    more_ports=("kafka_controller", "kafka_metrics"),
    launch=launch,
    prepare=prepare,
    waiting_for=waiting_for,
    wanted=lambda settings: not settings.kafka_address,
    patience_seconds=120,
    stop_seconds=30,
)
