"""Broker, Connect and Debezium tell what an operator asks for, and it moves with what happens."""

import re
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import psutil
import pytest

from infra.connectors import rest
from infra.paths import ROOT
from infra.services import java
from infra.stack.status import look
from millrace.settings import get_settings
from tests.infra import small_stack
from tests.infra.following import SERVICES, TOPIC, application, arrived, end, healthy, insert, inserted, running

LINE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$", re.MULTILINE)
Series = tuple[str, frozenset[tuple[str, str]]]


def test_the_agent_is_the_one_of_the_pom_and_its_sum_is_pinned() -> None:
    pom = ET.parse(ROOT / "infra" / "java" / "kafka.xml").getroot()
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = {
        one.findtext("m:artifactId", namespaces=space): one.findtext("m:version", namespaces=space)
        for one in pom.iterfind(".//m:dependency", space)
    }
    assert java.AGENT.name == f"jmx_prometheus_javaagent-{found['jmx_prometheus_javaagent']}.jar"
    assert java.AGENT.name in (ROOT / "infra" / "java" / "sha256.txt").read_text()


@pytest.fixture(scope="module")
def _stack() -> Iterator[None]:
    with running(*SERVICES):
        yield


def metrics(service: str) -> dict[Series, float]:
    with urllib.request.urlopen(f"{get_settings().url(service)}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {
        (one["name"], frozenset(re.findall(r'(\w+)="([^"]*)"', one["labels"] or ""))): float(one["value"])
        for one in LINE.finditer(text)
    }


def value(service: str, metric: str, /, **labels: str) -> float:
    """Of the one series of that name that has these labels."""
    wanted = labels.items()
    [found] = [told for (each, has), told in metrics(service).items() if each == metric and wanted <= has]
    return found


def broker(metric: str, /, **labels: str) -> float:
    return value("kafka_metrics", metric, **labels)


def connect(metric: str, /, **labels: str) -> float:
    return value("kafka_connect_metrics", metric, **labels)


def debezium(metric: str, context: str = "streaming") -> float:
    return connect(f"debezium_metrics_{metric}", name="orders", context=context)


@pytest.mark.stack
@pytest.mark.usefixtures("_stack")
def test_what_the_broker_tells_moves_with_messages() -> None:
    start = end()
    before = broker("kafka_log_log_logendoffset", topic=TOPIC, partition="0")
    with application() as connection:
        insert(connection, "metric-1", "metric-2")
    arrived(start, lambda seen: len(inserted(seen, "metric")) == 2, "the rows arrived")
    assert broker("kafka_log_log_logendoffset", topic=TOPIC, partition="0") >= before + 2
    assert broker("kafka_server_brokertopicmetrics_messagesin_total", topic=TOPIC) >= 2
    assert broker("kafka_log_log_size", topic=TOPIC) > 0
    assert broker("kafka_server_replicamanager_underreplicatedpartitions") == 0
    assert broker("kafka_controller_kafkacontroller_offlinepartitionscount") == 0
    assert broker("kafka_controller_kafkacontroller_activecontrollercount") == 1
    assert broker("jvm_memory_used_bytes", area="heap") > 1e6


@pytest.mark.stack
@pytest.mark.usefixtures("_stack")
def test_what_debezium_tells_moves_with_rows() -> None:
    small_stack.wait_for(lambda: debezium("SnapshotCompleted", "snapshot") == 1, "the snapshot is complete")
    start, before = end(), debezium("TotalNumberOfEventsSeen")
    with application() as connection:
        insert(connection, "seen-1", "seen-2", "seen-3")
    arrived(start, lambda seen: len(inserted(seen, "seen")) == 3, "the rows arrived")
    assert debezium("TotalNumberOfEventsSeen") >= before + 3
    assert 0 <= debezium("MilliSecondsBehindSource") < 60_000
    assert 0 <= debezium("MilliSecondsSinceLastEvent") < 60_000
    assert debezium("Connected") == 1
    assert debezium("NumberOfErroneousEvents") == 0
    assert 0 < debezium("QueueRemainingCapacity") <= debezium("QueueTotalCapacity")
    assert debezium("SnapshotRunning", "snapshot") == 0


@pytest.mark.stack
@pytest.mark.usefixtures("_stack")
def test_what_connect_tells_follows_a_connectors_state() -> None:
    assert connect("kafka_connect_connector_status", connector="millrace_orders", status="running") == 1
    assert connect("kafka_connect_connector_task_status", connector="millrace_orders", task="0", status="running") == 1
    small_stack.wait_for(lambda: sent_messages() > 10, "heartbeats are counted")
    assert connect("kafka_connect_task_error_record_failures_total", connector="millrace_orders") == 0
    assert connect("kafka_connect_worker_connector_count") == 2
    assert connect("kafka_connect_worker_connector_failed_task_count", connector="millrace_orders") == 0
    assert connect("jvm_memory_used_bytes", area="heap") > 1e6
    sent = sent_messages()
    rest.call(get_settings(), "POST", "/connectors/millrace_orders/restart?includeTasks=true")
    small_stack.wait_for(lambda: sent_messages() < sent, "a restart is told: the counter begins anew")
    rest.call(get_settings(), "PUT", "/connectors/millrace_orders/pause")
    try:
        small_stack.wait_for(paused, "the state is told")
    finally:
        rest.call(get_settings(), "PUT", "/connectors/millrace_orders/resume")
    small_stack.wait_for(healthy, "everything is healthy again", seconds=90)


def sent_messages() -> float:
    labels = {("connector", "millrace_orders")}
    told = metrics("kafka_connect_metrics").items()
    name = "kafka_connect_source_task_source_record_write_total"
    return sum(count for (each, has), count in told if each == name and labels <= has)


def paused() -> bool:
    labels = {("connector", "millrace_orders"), ("status", "paused")}
    return any(
        name == "kafka_connect_connector_status" and labels <= has for name, has in metrics("kafka_connect_metrics")
    )


@pytest.mark.stack
@pytest.mark.usefixtures("_stack")
def test_metrics_are_told_on_loopback_only_and_hold_no_secret() -> None:
    ports = {get_settings().port(name): name for name in ("kafka_metrics", "kafka_connect_metrics")}
    pids = {state.pid for state in look(small_stack.settings()) if state.pid}
    listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN and one.pid in pids]
    assert {one.laddr.port for one in listening} >= ports.keys()
    assert {one.laddr.ip for one in listening if one.laddr.port in ports} <= {"127.0.0.1", "::ffff:127.0.0.1"}
    for name in ports.values():
        with urllib.request.urlopen(f"{get_settings().url(name)}/metrics", timeout=30) as answer:
            told = answer.read().decode()
        for secret in ("source_debezium_password", "warehouse_debezium_password", "kafka_connect_password"):
            assert getattr(get_settings(), secret).get_secret_value() not in told
