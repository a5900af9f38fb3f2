"""The schema `control` of the warehouse database: which version is in force, how each came there, who serves it; and
what people decided about batches and contracts; up to what a table was extracted; the API keys of the callers.

Every connection is short: the callers are tasks, commands, and a replica that looks once a second.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from millrace.adapters.postgres_address import noticing
from millrace.contract.errors import MillraceError
from millrace.settings import get_settings

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS control;

CREATE TABLE IF NOT EXISTS control.champion (
    problem text PRIMARY KEY,
    version integer NOT NULL,
    uri text NOT NULL,
    content_hash text NOT NULL,
    generation bigint NOT NULL,
    replaces bigint,
    actor text NOT NULL,
    reason text NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS control.champion_history (
    LIKE control.champion INCLUDING DEFAULTS,
    PRIMARY KEY (problem, generation)
);

CREATE TABLE IF NOT EXISTS control.version_transitions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    problem text NOT NULL,
    version integer NOT NULL,
    state text NOT NULL CHECK (state IN ('registered', 'passed', 'refused', 'challenger', 'champion', 'retired')),
    actor text NOT NULL,
    reason text NOT NULL,
    detail jsonb,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS version_transitions_of ON control.version_transitions (problem, version, id);

CREATE TABLE IF NOT EXISTS control.replica_reports (
    replica text NOT NULL,
    problem text NOT NULL,
    version integer,
    generation bigint,
    content_hash text,
    error text,
    reported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (replica, problem)
);

CREATE TABLE IF NOT EXISTS control.holds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    problem text NOT NULL,
    content_hash text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    held_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    released_by text,
    release_reason text,
    released_at timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open_hold ON control.holds (problem, content_hash) WHERE released_at IS NULL;

CREATE TABLE IF NOT EXISTS control.problem_holds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    problem text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    held_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    released_by text,
    release_reason text,
    released_at timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open_hold_of_a_problem ON control.problem_holds (problem)
    WHERE released_at IS NULL;

CREATE TABLE IF NOT EXISTS control.batch_transitions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    problem text NOT NULL,
    batch text NOT NULL,
    state text NOT NULL CHECK (state IN ('refused', 'accepted', 'rejected')),
    actor text NOT NULL,
    reason text NOT NULL,
    detail jsonb,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS batch_transitions_of ON control.batch_transitions (problem, id);

CREATE TABLE IF NOT EXISTS control.applied_contracts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    problem text NOT NULL,
    contract_hash text NOT NULL,
    contract jsonb NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS applied_contracts_of ON control.applied_contracts (problem, id);

CREATE TABLE IF NOT EXISTS control.extracts (
    problem text NOT NULL,
    number bigint NOT NULL,
    path text NOT NULL,
    rows bigint NOT NULL,
    is_full boolean NOT NULL,
    shape text NOT NULL,
    until text,
    tail text NOT NULL,
    read_at text NOT NULL,
    run_id text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (problem, number)
);

CREATE TABLE IF NOT EXISTS control.extract_looks (
    problem text PRIMARY KEY,
    said text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS control.api_keys (
    id text PRIMARY KEY,
    client text NOT NULL,
    secret_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    expires_at timestamptz,
    rows_per_second double precision,
    created_by text NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_by text,
    revoke_reason text,
    revoked_at timestamptz
);

CREATE OR REPLACE FUNCTION control.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON control.version_transitions
    FOR EACH ROW EXECUTE FUNCTION control.refuse_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON control.champion_history
    FOR EACH ROW EXECUTE FUNCTION control.refuse_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON control.batch_transitions
    FOR EACH ROW EXECUTE FUNCTION control.refuse_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON control.applied_contracts
    FOR EACH ROW EXECUTE FUNCTION control.refuse_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON control.extracts
    FOR EACH ROW EXECUTE FUNCTION control.refuse_change();
"""
LOCK_OF_THE_SCHEMA = 7_265_001
"""Two processes that create the schema at once would both fail without it; any fixed number does."""


@contextmanager
def control() -> Iterator[psycopg.Connection[DictRow]]:
    """A connection to the schema `control`, one transaction: committed at the end, undone by an error.

    Raises:
        MillraceError: If the database cannot be reached or refuses.
    """
    try:
        _create_schema()
        with _connect() as connection:
            yield connection
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        _create_schema.cache_clear()  # The database was made anew under a living process: the next call heals.
        raise _database_error(error) from error
    except psycopg.Error as error:
        raise _database_error(error) from error


def _connect() -> psycopg.Connection[DictRow]:
    # A host that vanished must not hold up who looks every second, a replica's keys among them.
    dsn = noticing(get_settings().postgres_dsn("warehouse"))
    return psycopg.connect(dsn, row_factory=dict_row, connect_timeout=3, application_name="millrace control")


@cache
def _create_schema() -> None:
    with _connect() as connection:
        tables = re.findall(r"CREATE TABLE IF NOT EXISTS (\S+)", SCHEMA)
        every = "SELECT bool_and(to_regclass(name) IS NOT NULL) AS there FROM unnest(%s::text[]) AS name"
        found: dict[str, Any] | None = connection.execute(every, [tables]).fetchone()
        if found and found["there"]:
            return
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_OF_THE_SCHEMA])
        connection.execute(SCHEMA)


def _database_error(error: psycopg.Error) -> MillraceError:
    settings = get_settings()
    place = f"database warehouse, schema control, {settings.postgres_host}:{settings.port('postgres')}"
    if isinstance(error, psycopg.OperationalError):
        return MillraceError(
            "The control tables cannot be reached",
            place=place,
            found=(str(error).strip().splitlines() or [type(error).__name__])[0],
            expected="a Postgres that answers, with the password of the env file",
            fix="`make status` shows whether Postgres runs, `make up` starts it",
        )
    return MillraceError(
        "Postgres refused a statement on the control tables",
        place=place,
        found=error.diag.message_primary or str(error),
        expected="the tables as this version of Millrace makes them",
        fix="read what was found; if the tables are of another version, migrate them",
    )
