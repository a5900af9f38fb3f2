"""Reads Astro's `airflow_settings.yaml` and gives it this stack's addresses and passwords."""

import json
from pathlib import Path
from typing import Any

import yaml

from infra.paths import ROOT
from millrace.settings import Settings

SETTINGS_FILE = ROOT / "airflow_settings.yaml"
# Astro's names for the fields of a connection, and Airflow's.
FIELDS = {
    "conn_type": "conn_type",
    "conn_host": "host",
    "conn_schema": "schema",
    "conn_login": "login",
    "conn_password": "password",
    "conn_port": "port",
    "conn_extra": "extra",
}


def connections(settings: Settings, path: Path = SETTINGS_FILE) -> dict[str, dict[str, Any]]:
    """Airflow's connections by id; a connection that this stack does not know is passed on as it is written."""
    here = _here(settings)
    found = {}
    for entry in _read(path).get("connections") or []:
        written = {ours: entry[theirs] for theirs, ours in FIELDS.items() if entry.get(theirs) not in (None, "", {})}
        local = dict(here.get(entry["conn_id"], {}))
        extra = written.get("extra", {}) | local.pop("extra", {})
        found[entry["conn_id"]] = written | local | ({"extra": extra} if extra else {})
    return found


def pools(path: Path = SETTINGS_FILE) -> list[dict[str, Any]]:
    """Pools as Airflow's API takes them."""
    return [
        {
            "name": entry["pool_name"],
            "slots": entry["pool_slot"],
            "description": entry.get("pool_description") or "",
            "include_deferred": False,
        }
        for entry in _read(path).get("pools") or []
    ]


def environment(settings: Settings, path: Path = SETTINGS_FILE) -> dict[str, str]:
    """`AIRFLOW_CONN_*` and `AIRFLOW_VAR_*`: no secret gets into Airflow's database."""
    found = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections(settings, path).items()}
    for entry in _read(path).get("variables") or []:
        value = entry["variable_value"]
        found[f"AIRFLOW_VAR_{entry['variable_name'].upper()}"] = value if isinstance(value, str) else json.dumps(value)
    return found


def _here(settings: Settings) -> dict[str, dict[str, Any]]:
    """What differs natively: addresses, and the passwords of the env file."""
    return {
        "spark_default": {
            # The client sends a token without TLS to the name `localhost` alone.
            "host": "sc://localhost",
            "port": settings.port("spark_connect"),
            "password": settings.spark_connect_token.get_secret_value(),
        },
        "s3_default": {
            "login": settings.s3_access_key,
            "password": settings.s3_secret_key.get_secret_value(),
            "extra": {"endpoint_url": settings.s3_url, "region_name": settings.s3_region},
        },
        "warehouse_default": {
            "host": settings.postgres_host,
            "port": settings.port("postgres"),
            "password": settings.warehouse_db_password.get_secret_value(),
        },
        "ray_default": {"host": "127.0.0.1", "port": settings.port("ray_dashboard")},
        "mlflow_default": {"host": "127.0.0.1", "port": settings.port("mlflow")},
    }


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())["airflow"]
    return content
