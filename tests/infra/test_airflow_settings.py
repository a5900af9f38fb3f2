"""Astro's settings file, read by the native stack: same ids, this stack's addresses, passwords from the env file."""

import json
from pathlib import Path

import yaml

from infra import airflow_settings
from millrace.settings import Settings

SETTINGS = Settings(
    _env_file=None,
    port_offset=700,
    s3_access_key="key",
    s3_secret_key="secret",
    warehouse_db_password="hidden",
    spark_connect_token="token",
)


def test_the_file_holds_no_password() -> None:
    written = yaml.safe_load(airflow_settings.SETTINGS_FILE.read_text())["airflow"]["connections"]
    assert not [entry["conn_id"] for entry in written if entry.get("conn_password")]


def test_each_connection_leads_to_this_stack() -> None:
    found = airflow_settings.connections(SETTINGS)
    assert found["warehouse_default"] == {
        "conn_type": "postgres",
        "host": "127.0.0.1",
        "schema": "warehouse",
        "login": "warehouse",
        "password": "hidden",
        "port": 16132,
    }
    assert found["spark_default"]["host"] == "sc://localhost"
    assert found["spark_default"]["port"] == 15702
    assert found["s3_default"]["extra"]["endpoint_url"] == "http://127.0.0.1:9700"
    assert found["s3_default"]["extra"]["config_kwargs"] == {"s3": {"addressing_style": "path"}}
    assert found["mlflow_default"]["port"] == 5700


def test_airflow_reads_them_from_its_environment() -> None:
    environment = airflow_settings.environment(SETTINGS)
    ids = {
        entry["conn_id"]
        for entry in yaml.safe_load(airflow_settings.SETTINGS_FILE.read_text())["airflow"]["connections"]
    }
    assert {name for name in environment if name.startswith("AIRFLOW_CONN_")} == {
        f"AIRFLOW_CONN_{i.upper()}" for i in ids
    }
    assert json.loads(environment["AIRFLOW_CONN_S3_DEFAULT"])["password"] == "secret"


def test_a_connection_of_the_reader_and_variables_pass_through(tmp_path: Path) -> None:
    path = tmp_path / "airflow_settings.yaml"
    path.write_text(
        "airflow:\n"
        "  connections:\n"
        "    - {conn_id: theirs, conn_type: http, conn_host: example, conn_port: 1}\n"
        "  variables:\n"
        "    - {variable_name: plain, variable_value: words}\n"
        "    - {variable_name: tree, variable_value: {a: 1}}\n"
    )
    environment = airflow_settings.environment(SETTINGS, path)
    assert json.loads(environment["AIRFLOW_CONN_THEIRS"]) == {"conn_type": "http", "host": "example", "port": 1}
    assert environment["AIRFLOW_VAR_PLAIN"] == "words"
    assert json.loads(environment["AIRFLOW_VAR_TREE"]) == {"a": 1}
    assert airflow_settings.pools(path) == []


def test_pools_have_the_shape_of_airflows_interface() -> None:
    by_name = {pool["name"]: pool["slots"] for pool in airflow_settings.pools()}
    assert by_name == {"default_pool": 16, "spark": 2, "ray": 1}
