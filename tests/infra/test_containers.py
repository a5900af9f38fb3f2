"""The container stack is the native one in another form; compose schema and hadolint accept it."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from airflow.sdk.configuration import conf

from infra.paths import ROOT, VENV
from infra.services import airflow, java, kafka, kafka_connect, postgres, postgres_server, serving, source_database
from infra.services.spark import configuration
from millrace.settings import STANDARD_PORTS, Settings

COMPOSE = yaml.safe_load((ROOT / "docker-compose.override.yml").read_text())
HBA = "/etc/postgresql/pg_hba.conf"
DOCKERFILES = [ROOT / "Dockerfile", *sorted((ROOT / "infra" / "containers").glob("*.Dockerfile"))]
OURS = (
    "warehouse",
    "minio",
    "source_database",
    "kafka",
    "kafka_connect",
    "mlflow",
    "spark",
    "ray",
    "serving_1",
    "serving_2",
)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=ROOT, check=False, capture_output=True, text=True)


def test_compose_fits_the_schema() -> None:
    checked = run(
        VENV / "bin" / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.override.yml"
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_passes(path: Path) -> None:
    checked = run(VENV / "bin" / "hadolint", path)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", OURS)
def test_each_service_says_when_it_is_well_and_listens_on_loopback_only(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["healthcheck"]["test"]
    for port in service["ports"]:
        host, outside, _inside = port.split(":")
        assert host == "127.0.0.1"
        assert int(outside) in STANDARD_PORTS.values()


def test_every_password_comes_from_the_env_file_and_has_no_default() -> None:
    text = (ROOT / "docker-compose.override.yml").read_text()
    used = re.findall(r"\$\{([^}]+)\}", text)
    assert used
    assert not [use for use in used if not re.fullmatch(r"MILLRACE_\w+:\?run make env", use)]


def test_every_setting_it_passes_exists() -> None:
    known = {f"MILLRACE_{name.upper()}" for name in Settings.model_fields}
    text = (ROOT / "docker-compose.override.yml").read_text()
    assert set(re.findall(r"\bMILLRACE_[A-Z0-9_]+", text)) <= known


def test_the_spark_container_is_configured_as_the_native_server() -> None:
    script = (ROOT / "infra" / "containers" / "spark-connect.sh").read_text()
    there = dict(re.findall(r"^(spark\.\S+) (.+)$", script, re.MULTILINE))
    here = configuration(Settings(_env_file=None))
    addresses = ("binding", "uri", "endpoint", "jars", "password", "access-key", "extraJavaOptions")
    native_only = {"spark.driver.host", "spark.driver.bindAddress", "spark.connect.authenticate.token"}
    assert set(here) - native_only == set(there)
    for key in set(there) - {key for key in there if any(word in key for word in addresses)}:
        assert there[key] == here[key], key
    java = "spark.driver.extraJavaOptions"
    assert re.findall(r"-XX\S+", there[java]) == re.findall(r"-XX\S+", here[java])


def test_broker_and_connect_are_configured_as_the_native_ones() -> None:
    script = (ROOT / "infra" / "containers" / "kafka.sh").read_text()
    files = {
        name: dict(re.findall(r"^([^=\n]+)=(.*)$", text, re.MULTILINE))
        for name, text in re.findall(
            r"/(server|connect)\.properties\" <<'CONF'\n(.*?)^CONF$", script, re.MULTILINE | re.DOTALL
        )
    }
    settings = Settings(_env_file=None)
    natively = {"server": kafka.configuration(settings, ROOT), "connect": kafka_connect.configuration(settings)}
    addresses = {"listeners", "advertised.listeners", "listener.security.protocol.map", "controller.quorum.voters"}
    for name, here in natively.items():
        there = files[name]
        assert set(there) == set(here)
        for key in set(here) - addresses - {"log.dirs", "bootstrap.servers", "plugin.path"}:
            assert there[key] == here[key], key
    assert f"-Xmx{kafka.HEAP_MEGABYTES}m kafka.Kafka" in script
    assert f"-Xmx{kafka_connect.HEAP_MEGABYTES}m" in script
    for program, port in (("kafka", "kafka_metrics"), ("connect", "kafka_connect_metrics")):
        assert f"-javaagent:$agent={STANDARD_PORTS[port]}:/metrics/metrics-{program}.yaml" in script
        assert java.metrics(program, settings.port(port)) in natively_launched(program, settings)
    here = java.command("Main", heap_megabytes=100, logging=Path("log4j2.properties"))
    assert re.findall(r"-XX\S+", script) == [word for word in here if word.startswith("-XX")]
    [logging] = re.findall(r"/log4j2\.properties\" <<'CONF'\n(.*?)^CONF$", script, re.MULTILINE | re.DOTALL)
    assert logging == java.LOGGING


def natively_launched(program: str, settings: Settings) -> list[str]:
    return {"kafka": kafka, "connect": kafka_connect}[program].launch(settings).argv


def test_the_source_database_is_configured_as_the_native_one() -> None:
    told = dict(re.findall(r"-c (\S+)=(\S+)", COMPOSE["services"]["source_database"]["command"]))
    assert told == source_database.SERVER.options | {"jit": "off", "hba_file": HBA}
    script = (ROOT / "infra" / "containers" / "make-source.sh").read_text()
    for role, replication in source_database.ROLES.items():
        assert f"CREATE ROLE {role} LOGIN {'REPLICATION ' if replication else ''}PASSWORD" in script


def test_the_warehouse_is_configured_as_the_native_one() -> None:
    told = dict(re.findall(r"-c (\S+)=(\S+)", COMPOSE["services"]["warehouse"]["command"]))
    assert told == postgres.SERVER.options | {"jit": "off", "hba_file": HBA}


@pytest.mark.parametrize("name", ["source_database", "warehouse"])
def test_who_may_connect_is_said_by_one_file(name: str) -> None:
    assert f"./{postgres_server.HBA.relative_to(ROOT)}:{HBA}:ro" in COMPOSE["services"][name]["volumes"]


def test_the_keeper_says_when_it_is_well_and_has_no_port() -> None:
    keeper = COMPOSE["services"]["connectors"]
    assert keeper["healthcheck"]["test"]
    assert "ports" not in keeper


def test_a_replica_in_a_container_is_started_and_ended_as_the_native_one() -> None:
    settings = Settings(_env_file=None, port_offset=0)
    for service in serving.SERVICES:
        there = COMPOSE["services"][service.name]
        natively = " ".join(service.launch(settings).argv).partition(" ")[2]
        assert there["command"] == f"python {natively}".replace("--port=", "--host 0.0.0.0 --port ")
        assert there["stop_grace_period"] == f"{service.stop_seconds}s"
        assert service.stop_seconds > settings.drain_seconds + settings.drain_at_most_seconds


def test_the_key_of_the_env_file_is_registered_once_the_warehouse_answers() -> None:
    registering = COMPOSE["services"]["operator_key"]
    assert registering["depends_on"] == {"warehouse": {"condition": "service_healthy"}}
    assert "MILLRACE_API_KEY" in registering["environment"]


def test_airflow_in_a_container_does_as_the_native_one() -> None:
    """Whatever the image is told in the Dockerfile; passwords, addresses and folders come from elsewhere."""
    told = dict(re.findall(r"(AIRFLOW__\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    natively = airflow.environment(Settings(_env_file=None))
    assert told
    assert {key: natively[key] for key in told} == told


def test_what_a_replica_keeps_outlives_its_container_and_its_user_may_write_it() -> None:
    dockerfile = (ROOT / "infra" / "containers" / "python.Dockerfile").read_text()
    for name in ("serving_1", "serving_2"):
        service = COMPOSE["services"][name]
        folder = service["environment"]["MILLRACE_PACKAGE_CACHE"]
        assert f"packages:{folder}" in service["volumes"]
        assert service["environment"]["MILLRACE_REPLICA"] == name, "each has a folder of its own in it"
        assert re.search(rf"install --directory --owner=millrace {folder}\s", dockerfile)
    assert "packages" in COMPOSE["volumes"]


def test_a_killed_scheduler_holds_no_stage_for_minutes() -> None:
    """A task of it counts as alive until then; and no task that lives is taken for dead because it was slow once."""
    seconds = int(airflow.environment(Settings(_env_file=None))["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"])
    between_beats = conf.getint("workers", "min_heartbeat_interval")
    assert 10 * between_beats <= seconds <= 120


def test_astro_installs_no_airflow_and_finds_our_packages() -> None:
    assert not re.search(r"^apache-airflow==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^FROM \S+/runtime:3\.3-\d+-python-3\.11$", text, re.MULTILINE)
    assert "PYTHONPATH=/usr/local/airflow:/usr/local/airflow/include" in text
