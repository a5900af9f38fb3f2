"""What following, or extracting, a problem's table needs in the source database. Tables and columns are added, never
changed.

A table is as lax as an application's may be: types and a key, none of the contract's constraints, so that broken values
can be committed, and are quarantined.
"""

from typing import LiteralString

import psycopg
from psycopg import sql

from infra.services.postgres_server import ensure_role
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.contract.source import ColumnType

TYPES: dict[ColumnType, LiteralString] = {
    "string": "text",
    "integer": "bigint",
    "number": "double precision",
    "boolean": "boolean",
    "timestamp": "timestamptz",
}
HEARTBEAT_RIGHTS: LiteralString = "SELECT, INSERT, UPDATE"
OURS: LiteralString = """
CREATE SCHEMA IF NOT EXISTS millrace;

-- The timeline is asked of the log that is written now: the control file tells it as of the last checkpoint.
CREATE OR REPLACE FUNCTION millrace.epoch() RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT system_identifier || '/' || ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
    FROM pg_control_system()
$$;

CREATE OR REPLACE FUNCTION millrace.demand_epoch(demanded text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF millrace.epoch() <> demanded THEN
        RAISE EXCEPTION 'this database is of epoch %, and % was asked for: it was restored or promoted',
            millrace.epoch(), demanded;
    END IF;
END $$;

GRANT USAGE ON SCHEMA millrace TO debezium;

-- Whoever may read the changes may ask that a connector is begun anew, or that all of a problem is forgotten once its
-- file is gone; only the keeper answers.
CREATE TABLE IF NOT EXISTS millrace.connector_requests (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    problem text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    answer text
);
ALTER TABLE millrace.connector_requests
    ADD COLUMN IF NOT EXISTS wish text NOT NULL DEFAULT 'anew' CHECK (wish IN ('anew', 'forget'));
GRANT SELECT, INSERT ON millrace.connector_requests TO debezium;
"""


def make_room(connection: psycopg.Connection) -> None:
    """Makes the schema that is ours, and the functions that tell the epoch."""
    connection.execute(OURS)


def epoch_of(connection: psycopg.Connection) -> str:
    """System identifier and timeline of the database."""
    if connection.execute("SELECT to_regprocedure('millrace.demand_epoch(text)')").fetchall() == [(None,)]:
        make_room(connection)
    found = connection.execute("SELECT millrace.epoch()").fetchone()
    assert found is not None
    return str(found[0])


def follow(connection: psycopg.Connection, problem: Problem) -> None:
    """Makes what is missing: the problem's table, heartbeat and signals, Debezium's rights, the publication."""
    assert problem.change_table is not None
    heartbeat, signal = names.heartbeat_table(problem.problem), names.signal_table(problem.problem)
    _table(connection, problem.change_table, problem, reader="debezium")
    _tell_all_values(connection, problem.change_table)
    make_heartbeat(connection, heartbeat)
    # The columns that Debezium asks for.
    connection.execute(
        sql.SQL("CREATE TABLE IF NOT EXISTS {} (id text PRIMARY KEY, type text NOT NULL, data text)").format(
            _named(signal)
        )
    )
    rights: dict[str, LiteralString] = {
        problem.change_table: "SELECT",
        heartbeat: HEARTBEAT_RIGHTS,
        # Debezium writes to it where a snapshot begins and ends.
        signal: "SELECT, INSERT",
    }
    for table, granted in rights.items():
        connection.execute(sql.SQL("GRANT {} ON {} TO debezium").format(sql.SQL(granted), _named(table)))
    _publish(connection, names.connector(problem.problem), set(rights))


def make_heartbeat(connection: psycopg.Connection, heartbeat: str) -> None:
    """Makes the table that a connector writes to, and its right to."""
    connection.execute(
        sql.SQL("CREATE TABLE IF NOT EXISTS {} (id int PRIMARY KEY, at timestamptz NOT NULL)").format(_named(heartbeat))
    )
    connection.execute(sql.SQL("GRANT {} ON {} TO debezium").format(sql.SQL(HEARTBEAT_RIGHTS), _named(heartbeat)))


def publish_also(connection: psycopg.Connection, publication: str, table: str) -> None:
    """Has a publication list a table besides its others; harmless when it does."""
    if table not in _published(connection, publication):
        add = sql.SQL("ALTER PUBLICATION {} ADD TABLE {}")
        connection.execute(add.format(sql.Identifier(publication), _named(table)))


def make_reader(connection: psycopg.Connection, password: str) -> None:
    """Makes the role that reads tables, in a database that was made before there was one."""
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'extract'").fetchone():
        ensure_role(connection, "extract", password)
        grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO extract")
        connection.execute(grant.format(sql.Identifier(connection.info.dbname)))


def make_extracted(connection: psycopg.Connection, problem: Problem) -> bool:
    """Makes what is missing: the problem's table with an index on its watermark, and the right to read it.

    A table or view that is there gets nothing but the right: a column that its owner took away must not come back
    empty.

    Returns:
        Whether the table was made.
    """
    table, extract = problem.extract_table, problem.source.extract
    assert table is not None
    assert extract is not None
    made = _kind(connection, table) is None
    if made:
        with connection.transaction():
            _table(connection, table, problem, reader="extract")
            if extract.watermark is not None:
                create = sql.SQL("CREATE INDEX ON {} ({})")
                connection.execute(create.format(_named(table), sql.Identifier(extract.watermark)))
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO extract").format(sql.Identifier(table.split(".")[0])))
    connection.execute(sql.SQL("GRANT SELECT ON {} TO extract").format(_named(table)))
    return made


def unfollow(connection: psycopg.Connection, problem: str) -> None:
    """Removes publication, heartbeats and signals, and the right to read the application's table, which stays."""
    publication = names.connector(problem)
    with connection.transaction():
        # Before the publication, which names them: killed in between, none would know them.
        for table in _published(connection, publication):
            connection.execute(sql.SQL("REVOKE ALL ON {} FROM debezium").format(_named(table)))
        connection.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(publication)))
        for table in (names.heartbeat_table(problem), names.signal_table(problem)):
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_named(table)))


def slot_is_lost(connection: psycopg.Connection, problem: str) -> bool:
    """Whether log that the connector had not read is gone: it stayed away for longer than the bound allows."""
    return bool(
        connection.execute(
            "SELECT 1 FROM pg_replication_slots WHERE slot_name = %s AND wal_status = 'lost'",
            [names.connector(problem)],
        ).fetchone()
    )


def drop_slot(connection: psycopg.Connection, problem: str) -> None:
    """Drops the slot of a problem's connector, or the warehouse's; harmless when there is none."""
    connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s",
        [names.connector(problem)],
    )


def _kind(connection: psycopg.Connection, table: str) -> str | None:
    """What a relation is, as `pg_class` says it; None where there is none."""
    query = "SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%s)"
    found = connection.execute(query, [_named(table).as_string(connection)]).fetchone()
    return None if found is None else str(found[0])


def _table(connection: psycopg.Connection, table: str, problem: Problem, *, reader: str) -> None:
    schema, name = table.split(".")
    if schema != "public":
        create = sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION application")
        connection.execute(create.format(sql.Identifier(schema)))
        grant = sql.SQL("GRANT USAGE ON SCHEMA {} TO {}")
        connection.execute(grant.format(sql.Identifier(schema), sql.Identifier(reader)))
    columns = {column: sql.SQL(TYPES[told.type]) for column, told in problem.source.columns.items()}
    if not connection.execute("SELECT to_regclass(%s)", [_named(table).as_string(connection)]).fetchall()[0][0]:
        parts = [sql.SQL("{} {}").format(sql.Identifier(column), kind) for column, kind in columns.items()]
        key = sql.SQL(", ").join(map(sql.Identifier, problem.source.primary_key))
        parts.append(sql.SQL("PRIMARY KEY ({})").format(key))
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(_named(table), sql.SQL(", ").join(parts)))
        connection.execute(sql.SQL("ALTER TABLE {} OWNER TO application").format(_named(table)))
    there = {
        str(row[0])
        for row in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            [schema, name],
        )
    }
    for column, kind in columns.items():
        if column not in there:
            add = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}")
            connection.execute(add.format(_named(table), sql.Identifier(column), kind))


def _tell_all_values(connection: psycopg.Connection, table: str) -> None:
    if not connection.execute(
        "SELECT 1 FROM pg_class WHERE oid = %s::regclass AND relreplident = 'f'", [_named(table).as_string(connection)]
    ).fetchone():
        # An update and a delete then tell every value that was there.
        connection.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(_named(table)))


def _publish(connection: psycopg.Connection, publication: str, tables: set[str]) -> None:
    """Makes the publication list exactly these tables; what leaves it, Debezium may no longer read."""
    listed = sql.SQL(", ").join(_named(table) for table in sorted(tables))
    if not connection.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", [publication]).fetchone():
        create = sql.SQL("CREATE PUBLICATION {} FOR TABLE {}")
        connection.execute(create.format(sql.Identifier(publication), listed))
        return
    there = _published(connection, publication)
    if there != tables:
        connection.execute(sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(sql.Identifier(publication), listed))
    for table in there - tables:
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM debezium").format(_named(table)))


def _published(connection: psycopg.Connection, publication: str) -> set[str]:
    query = "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = %s"
    return {f"{schema}.{name}" for schema, name in connection.execute(query, [publication])}


def _named(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))
