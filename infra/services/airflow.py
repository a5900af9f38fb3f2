"""Airflow's four processes. `airflow standalone` would be one command, but leaves children behind when it is ended."""

import json
import subprocess
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from infra import airflow_settings, probes
from infra.files import write_private
from infra.paths import ROOT, VENV
from infra.services import ray
from infra.services.service import Launch, Service, started_file
from millrace.contract.errors import MillraceError
from millrace.settings import Settings


def environment(settings: Settings) -> dict[str, str]:
    """Airflow's configuration, connections and variables: what every Airflow command needs in its environment."""
    url = settings.url("airflow")
    user = settings.airflow_admin_user
    options: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": ROOT / "dags",
            "plugins_folder": ROOT / "plugins",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": 6,
            "max_active_tasks_per_dag": 6,
            "default_pool_task_slot_count": 16,
            # A new problem works without anyone's click.
            "dags_are_paused_at_creation": False,
            "fernet_key": settings.airflow_fernet_key.get_secret_value(),
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            # "All admins" would make every anonymous request an administrator's.
            "simple_auth_manager_all_admins": False,
            "simple_auth_manager_users": f"{user}:admin",
            "simple_auth_manager_passwords_file": _passwords_file(settings),
            "execution_api_server_url": f"{url}/execution/",
        },
        "database": {
            "sql_alchemy_conn": settings.postgres_dsn("airflow").replace("postgresql:", "postgresql+psycopg2:", 1),
            "sql_alchemy_conn_async": settings.postgres_dsn("airflow").replace("postgresql:", "postgresql+asyncpg:", 1),
            "sql_alchemy_pool_size": 5,
            "sql_alchemy_max_overflow": 10,
        },
        "api": {
            "host": "127.0.0.1",
            "port": settings.port("airflow"),
            "base_url": url,
            "workers": 1,
            "secret_key": settings.airflow_secret_key.get_secret_value(),
            "expose_config": False,
        },
        "api_auth": {"jwt_secret": settings.airflow_jwt_secret.get_secret_value()},
        # A new problem file appears within 30 s: the DAG files are read again at least every 15.
        "dag_processor": {"parsing_processes": 1, "refresh_interval": 10, "min_file_process_interval": 15},
        "scheduler": {
            "enable_health_check": False,
            # A task whose scheduler was killed holds its stage until this is over: one run at a time. A task says every
            # five seconds that it lives, so eighteen beats are missed by then; by default five minutes are.
            "task_instance_heartbeat_timeout": 90,
        },
        "triggerer": {"capacity": 100},
        "logging": {"base_log_folder": settings.home / "airflow" / "logs", "colored_console_log": False},
        "usage_data_collection": {"enabled": False},
    }
    return {
        "AIRFLOW_HOME": str(settings.home / "airflow"),
        **{
            f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
            for section, keys in options.items()
            for key, value in keys.items()
        },
        **airflow_settings.environment(settings),
        **ray.token(settings),
        "MLFLOW_TRACKING_URI": settings.mlflow_url,
    }


def _service(name: str, title: str, command: list[str], component: str, after: tuple[str, ...]) -> Service:
    def launch(settings: Settings) -> Launch:
        return Launch(argv=[str(VENV / "bin" / "airflow"), *command], environment=environment(settings))

    def waiting_for(settings: Settings) -> str | None:
        return _heartbeat_missing(settings, name, component)

    return Service(
        name=name,
        title=title,
        launch=launch,
        waiting_for=waiting_for,
        after=after,
        patience_seconds=180,
        stop_seconds=30,
    )


def launch_api(settings: Settings) -> Launch:
    command = [str(VENV / "bin" / "airflow"), "api-server", "--host=127.0.0.1", f"--port={settings.port('airflow')}"]
    return Launch(argv=[*command, "--workers=1"], environment=environment(settings))


def prepare_api(settings: Settings) -> None:
    """Writes the login, and brings the database to this version's tables unless it is known to be there."""
    _passwords_file(settings).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    login = {settings.airflow_admin_user: settings.airflow_admin_password.get_secret_value()}
    write_private(_passwords_file(settings), json.dumps(login))
    migrated = settings.home / "airflow" / "migrated"
    if migrated.exists() and migrated.read_text() == _tables_version(settings):
        return
    done = subprocess.run(
        [str(VENV / "bin" / "airflow"), "db", "migrate"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home())} | environment(settings),
    )
    if done.returncode != 0:
        raise MillraceError(
            "Airflow's database could not be brought to this version",
            place="airflow db migrate",
            found=done.stderr.strip()[-800:],
            expected="exit code 0",
            fix="a database of a newer Airflow cannot go back: check out that version, or `make clean`",
        )
    migrated.write_text(_tables_version(settings))


def complete_api(settings: Settings) -> None:
    """Pools cannot come from the environment: they are put into the database through the API."""
    login = {"username": settings.airflow_admin_user, "password": settings.airflow_admin_password.get_secret_value()}
    token = _call(settings, "POST", "/auth/token", login)["access_token"]
    existing = {pool["name"]: pool for pool in _call(settings, "GET", "/api/v2/pools", token=token)["pools"]}
    for pool in airflow_settings.pools():
        known = existing.get(pool["name"])
        if known is None:
            _call(settings, "POST", "/api/v2/pools", pool, token=token)
        elif known["slots"] != pool["slots"]:
            _call(settings, "PATCH", f"/api/v2/pools/{pool['name']}?update_mask=slots", pool, token=token)


def _call(settings: Settings, method: str, path: str, body: object = None, *, token: str = "") -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(settings.url("airflow") + path, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def _tables_version(settings: Settings) -> str:
    with psycopg.connect(settings.postgres_dsn("airflow")) as connection:
        if not connection.execute("SELECT to_regclass('alembic_version')").fetchall()[0][0]:
            return ""
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchall()[0][0])


def _heartbeat_missing(settings: Settings, service: str, component: str) -> str | None:
    """A heartbeat counts when it is younger than the start: the one before may have beaten a second ago."""
    try:
        health = _call(settings, "GET", "/api/v2/monitor/health")[component]
    except OSError as error:
        return f"the API server does not answer ({error})"
    beat, started = health.get(f"latest_{component}_heartbeat"), started_file(service, settings)
    if not beat or not started.exists() or datetime.fromisoformat(beat).timestamp() < started.stat().st_mtime:
        return "no heartbeat since its start"
    return None if health["status"] == "healthy" else f"its health is {health['status']}"


def _passwords_file(settings: Settings) -> Path:
    return settings.home / "airflow" / "passwords.json"


SERVICES = (
    Service(
        name="airflow_api",
        title="Airflow 3.3",
        port="airflow",
        launch=launch_api,
        prepare=prepare_api,
        complete=complete_api,
        waiting_for=lambda settings: probes.http(f"{settings.url('airflow')}/api/v2/monitor/health"),
        after=("postgres",),
        patience_seconds=240,
        stop_seconds=30,
    ),
    _service(
        "airflow_scheduler", "Airflow scheduler", ["scheduler", "--skip-serve-logs"], "scheduler", ("airflow_api",)
    ),
    _service("airflow_dags", "Airflow DAG processor", ["dag-processor"], "dag_processor", ("airflow_api",)),
    _service(
        "airflow_triggerer", "Airflow triggerer", ["triggerer", "--skip-serve-logs"], "triggerer", ("airflow_api",)
    ),
)
