"""A table of somebody's Postgres database, copied to a CSV file that a draft can be made from."""

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

    Args:
        database: An address such as postgresql://ann@db.example/shop. What it does not say (a password), libpq's own
            ways do: PGPASSWORD, or a line of ~/.pgpass.
        table: Its name, behind its schema and a dot unless that is public.

    Raises:
        MillraceError: If the database does not answer, or holds no such table that this role may read.
    """
    place = _place(database)
    try:
        with psycopg.connect(database, connect_timeout=10) as connection:
            connection.read_only = True
            connection.execute("SET TIME ZONE 'UTC'")
            name = sql.Identifier(*(table.split(".", 1) if "." in table else ("public", table)))
            columns = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(name)).description or []
            told = sql.SQL(", ").join(_as_in_files(column.name, column.type_code) for column in columns)
            query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT WITH (FORMAT csv, HEADER)").format(told, name)
            with file.open("wb") as written, connection.cursor().copy(query) as rows:
                for part in rows:
                    written.write(part)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise MillraceError(
            "There is no such table",
            place=place,
            found=f"no table {table}; there are: {_tables(database)}",
            expected="a table or view: name, or schema.name",
            fix="name one of them",
        ) from error
    except psycopg.Error as error:
        raise MillraceError(
            "The table cannot be read",
            place=f"{place}, table {table}",
            found=str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
            expected="a database that answers, and a role that may read the table",
            fix="say --database postgresql://role@host:port/name; the password comes from PGPASSWORD or ~/.pgpass",
        ) from error


def _as_in_files(column: str, kind: int) -> sql.Composable:
    said = {
        _BOOLEAN: "{0}::text AS {0}",
        _TIMESTAMP: "to_char({0}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US') AS {0}",
        _TIMESTAMP_TZ: 'to_char({0}, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\') AS {0}',
    }
    return sql.SQL(said.get(kind, "{0}")).format(sql.Identifier(column))


def _tables(database: str) -> str:
    query = """
        SELECT table_schema || '.' || table_name FROM information_schema.tables
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
    """
    with psycopg.connect(database, connect_timeout=10) as connection:
        found = [name for (name,) in connection.execute(query)]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more if found else "none that this role may see"


def _place(database: str) -> str:
    try:
        told = conninfo_to_dict(database)
    except psycopg.ProgrammingError:
        return "--database"
    return f"database {told.get('dbname', '')} on {told.get('host', 'localhost')}"
