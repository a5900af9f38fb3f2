"""PostgreSQL: one server; a database and a role each for Airflow, MLflow, the Iceberg catalog and the warehouse."""

from functools import partial
from pathlib import Path

import psycopg

from infra.services import postgres_server
from infra.services.service import Service
from millrace.settings import Settings

DATABASES = ("airflow", "mlflow", "iceberg", "warehouse")
SERVER = postgres_server.Server(
    name="postgres",
    options={
        "max_connections": "120",
        "shared_buffers": "128MB",
        # The serving tables are published from the log. What a connector that stays away has not read must not fill the
        # disk: beyond this its slot is lost, and every row is read once more.
        "wal_level": "logical",
        "max_slot_wal_keep_size": "2GB",
    },
    host=lambda settings: settings.postgres_host,
    password=lambda settings: settings.postgres_password.get_secret_value(),
)


def complete(settings: Settings) -> None:
    """Makes each role and its database, and sets the role's password to that of the env file."""
    with connect(settings) as connection:
        for name in DATABASES:
            password = getattr(settings, f"{name}_db_password").get_secret_value()
            postgres_server.ensure_role(connection, name, password)
            postgres_server.ensure_database(connection, name, owner=name)


def data_folder(settings: Settings) -> Path:
    return postgres_server.data_folder(SERVER, settings)


def connect(settings: Settings) -> psycopg.Connection:
    """As the superuser, each statement a transaction of its own."""
    return postgres_server.connect(SERVER, settings)


SERVICE = Service(
    name="postgres",
    title="PostgreSQL 17",
    port="postgres",
    launch=partial(postgres_server.launch, SERVER),
    prepare=partial(postgres_server.prepare, SERVER),
    complete=complete,
    waiting_for=partial(postgres_server.waiting_for, SERVER),
    # SIGTERM would wait for every client to leave; SIGINT ends their sessions and shuts down cleanly.
    stop_signal="INT",
)
