"""What following the serving tables needs in the warehouse: a publication, and a role that may read them and no more.

Tables come with the loads: each enters the publication in the transaction that makes it (`adapters/warehouse.py`).
Here those are found that an earlier version made, or that Debezium may not read yet.
"""

import psycopg
from psycopg import sql

from infra.connectors import source_tables
from infra.services import postgres, postgres_server
from millrace.contract import names
from millrace.settings import Settings

PUBLICATION = names.connector(names.WAREHOUSE)
HEARTBEAT = names.heartbeat_table(names.WAREHOUSE)
ROLE = "debezium"
SERVING = """
    SELECT c.relname, p.tablename IS NOT NULL, has_table_privilege(%(role)s, c.oid, 'SELECT')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_publication_tables p
        ON (p.pubname, p.schemaname, p.tablename) = (%(publication)s, n.nspname, c.relname)
    WHERE n.nspname = 'warehouse' AND c.relkind = 'r' AND starts_with(c.relname, %(serving)s)
"""


def connect(settings: Settings) -> psycopg.Connection:
    """To the warehouse, as the superuser, each statement a transaction of its own."""
    return postgres_server.connect(postgres.SERVER, settings, names.WAREHOUSE)


def make_room(connection: psycopg.Connection, settings: Settings) -> None:
    """Makes what is there once: role, functions that tell the epoch, heartbeat, schema and publication."""
    password = settings.warehouse_debezium_password.get_secret_value()
    postgres_server.ensure_role(connection, ROLE, password, replication=True)
    connection.execute("GRANT CONNECT ON DATABASE warehouse TO debezium")
    source_tables.make_room(connection)
    source_tables.make_heartbeat(connection, HEARTBEAT)
    publication = sql.Identifier(PUBLICATION)
    with connection.transaction():
        # A load may be making the same.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [names.LOCK_OF_WAREHOUSE_SCHEMA])
        connection.execute("CREATE SCHEMA IF NOT EXISTS warehouse AUTHORIZATION warehouse")
        connection.execute("GRANT USAGE ON SCHEMA warehouse TO debezium")
        if not connection.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", [PUBLICATION]).fetchone():
            connection.execute(sql.SQL("CREATE PUBLICATION {}").format(publication))
            # Whose loads put tables in.
            connection.execute(sql.SQL("ALTER PUBLICATION {} OWNER TO warehouse").format(publication))
        source_tables.publish_also(connection, PUBLICATION, HEARTBEAT)


def follow(connection: psycopg.Connection) -> None:
    """Has each serving table published, and Debezium read it: a snapshot asks for that right, the log does not."""
    asked = {"role": ROLE, "publication": PUBLICATION, "serving": names.serving_table("")}
    for name, published, readable in connection.execute(SERVING, asked).fetchall():
        if not published:
            source_tables.publish_also(connection, PUBLICATION, f"warehouse.{name}")
        if not readable:
            grant = sql.SQL("GRANT SELECT ON {} TO debezium")
            connection.execute(grant.format(sql.Identifier("warehouse", name)))
