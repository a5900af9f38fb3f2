"""The operational database whose changes are followed: a PostgreSQL of its own, as an application would have one."""

from functools import partial

from psycopg import sql

from infra.services import postgres_server
from infra.services.service import Service
from millrace.settings import Settings

DATABASE = "source"
SERVER = postgres_server.Server(
    name="source_database",
    options={
        "max_connections": "60",
        "shared_buffers": "64MB",
        "wal_level": "logical",
        # A slot for each connector; a sender serves a slot.
        "max_replication_slots": "32",
        "max_wal_senders": "32",
        # A connector that stays away must not fill the disk of the application: beyond this its slot is lost.
        "max_slot_wal_keep_size": "2GB",
    },
    host=lambda settings: settings.source_database_host,
    password=lambda settings: settings.source_database_password.get_secret_value(),
)
ROLES = {"application": False, "debezium": True, "extract": False}
"""Role → whether it may replicate. The application owns the tables and is the only one that writes rows; `extract` may
read those that are extracted, and nothing else."""


def complete(settings: Settings) -> None:
    """Makes the database and its roles. The tables come from the contracts: `infra/connectors/source_tables.py`."""
    with postgres_server.connect(SERVER, settings) as connection:
        for role, replication in ROLES.items():
            password = getattr(settings, f"source_{role}_password").get_secret_value()
            postgres_server.ensure_role(connection, role, password, replication=replication)
        postgres_server.ensure_database(connection, DATABASE, owner="postgres")
        for role in ROLES:
            grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
            connection.execute(grant.format(sql.Identifier(DATABASE), sql.Identifier(role)))


SERVICE = Service(
    name="source_database",
    title="Source database",
    port="source_database",
    launch=partial(postgres_server.launch, SERVER),
    prepare=partial(postgres_server.prepare, SERVER),
    complete=complete,
    waiting_for=partial(postgres_server.waiting_for, SERVER),
    # As Postgres: an orderly end that does not wait for clients to leave.
    stop_signal="INT",
)
