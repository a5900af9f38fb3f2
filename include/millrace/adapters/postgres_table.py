"""A table of somebody's Postgres database, copied to a CSV file that a draft can be made from."""

import re
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from millrace.contract.errors import MillraceError

_BOOLEAN, _TIMESTAMP, _TIMESTAMP_TZ = 16, 1114, 1184
"""Oids of types whose texts are said otherwise in files: https://www.postgresql.org/docs/current/catalog-pg-type.html"""
_NAMED = 10


def copy_out(database: str, table: str, file: Path) -> None:
    """Copy all rows of a table or view, as one transaction sees them, to a CSV file with a header. Memory stays flat.

    The file, which only its owner may read, is there when it is whole; one of that name is replaced then.

    Args:
        database: An address such as postgresql://ann@db.example/shop. What it does not say (a password), libpq's own
            ways do: PGPASSWORD, or a line of ~/.pgpass.
        table: Its name, behind its schema and a dot unless that is public.

    Raises:
        MillraceError: If the database does not answer, holds no such table that this role may read, or the file cannot
            be written. No message holds a password.
    """
    place = _place(database)
    part = file.with_name(f"{file.name}.part")
    try:
        with psycopg.connect(database, connect_timeout=10, client_encoding="UTF8") as connection:
            connection.read_only = True
            connection.execute("SET TIME ZONE 'UTC'")
            connection.execute("SET DateStyle TO ISO")
            name = sql.Identifier(*(table.split(".", 1) if "." in table else ("public", table)))
            columns = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(name)).description or []
            told = sql.SQL(", ").join(_as_in_files(column.name, column.type_code) for column in columns)
            query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT WITH (FORMAT csv, HEADER)").format(told, name)
            part.touch(mode=0o600)
            with part.open("wb") as written, connection.cursor().copy(query) as rows:
                for chunk in rows:
                    written.write(chunk)
        part.replace(file)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise MillraceError(
            "There is no such table",
            place=place,
            found=f"no table {table}; there are: {_tables(database)}",
            expected="a table or view: name, or schema.name",
            fix="name one of them",
        ) from error
    except (psycopg.Error, OSError) as error:
        raise MillraceError(
            "The table cannot be copied",
            place=f"{place}, table {table}",
            found=(str(error).strip().splitlines() or [type(error).__name__])[0],
            expected="a database that answers, a role that may read the table, and room for it on the disk",
            fix="say --database postgresql://role@host:port/name; the password comes from PGPASSWORD or ~/.pgpass",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _as_in_files(column: str, kind: int) -> sql.Composable:
    # Of a time without end, to_char would make no time at all.
    time = "CASE WHEN isfinite({{0}}) THEN to_char({{0}}, '{}') ELSE {{0}}::text END AS {{0}}"
    said = {
        _BOOLEAN: "{0}::text AS {0}",
        _TIMESTAMP: time.format('YYYY-MM-DD"T"HH24:MI:SS.US'),
        _TIMESTAMP_TZ: time.format('YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    }
    return sql.SQL(said.get(kind, "{0}")).format(sql.Identifier(column))


def _tables(database: str) -> str:
    query = """
        SELECT table_schema || '.' || table_name FROM information_schema.tables
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
    """
    try:
        with psycopg.connect(database, connect_timeout=10) as connection:
            found = [name for (name,) in connection.execute(query)]
    except psycopg.Error:
        return "not known, as the database does not answer any more"
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more if found else "none that this role may see"


def _place(database: str) -> str:
    """Where the database is, in words without a secret.

    Raises:
        MillraceError: If the address is none, or may be split at the wrong place: libpq would quote what it holds.
    """
    try:
        told = {key: str(value) for key, value in conninfo_to_dict(database).items()}
    except psycopg.ProgrammingError:
        told = {"host": "?"}
    parts = [told.get(key, "") for key in ("host", "port", "dbname", "user")]
    if not all(re.fullmatch(r"[\w./:-]*", part) for part in parts) or not re.fullmatch(r"[0-9]*", parts[1]):
        raise MillraceError(
            "The address of the database cannot be read",
            place="--database",
            found="an address that may hold a password, so it is not shown",
            expected="postgresql://role@host:port/name",
            fix="leave the password to PGPASSWORD or ~/.pgpass; within an address @ is written %40, / %2F and % %25",
        )
    return f"database {parts[2]} on {parts[0] or 'this machine'}"
