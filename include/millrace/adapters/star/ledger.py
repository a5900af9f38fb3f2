"""How far each star has come, and which tables are its own."""

from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row

from millrace.adapters import warehouse
from millrace.adapters.star.phrases import table
from millrace.adapters.warehouse import Connection

_LEDGER = sql.SQL("""
CREATE TABLE IF NOT EXISTS warehouse.star_loaded (
    problem text PRIMARY KEY,
    silver_table_uuid text NOT NULL,
    silver_snapshot_id bigint NOT NULL,
    silver_seq bigint NOT NULL,
    shape text NOT NULL,
    tables text[] NOT NULL,
    rows bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS warehouse.dim_date (
    date_key integer PRIMARY KEY,
    date date NOT NULL,
    year integer NOT NULL,
    quarter integer NOT NULL,
    month integer NOT NULL,
    day integer NOT NULL,
    iso_week integer NOT NULL,
    weekday integer NOT NULL,
    weekday_name text NOT NULL,
    is_weekend boolean NOT NULL
)""")


@dataclass(frozen=True)
class Loaded:
    """The high-water mark of a star: what of silver it holds, and in which shape."""

    silver_table_uuid: str
    silver_snapshot_id: int
    silver_seq: int
    shape: str
    tables: list[str]
    rows: int


def loaded(problem: str) -> Loaded | None:
    """What was loaded last; None if nothing was."""
    with warehouse.connect() as connection:
        found = connection.execute("SELECT to_regclass('warehouse.star_loaded')").fetchone()
        return _loaded(connection, problem) if found and found[0] else None


def lock(connection: Connection, problem: str) -> Loaded | None:
    """Lock a star's high-water mark until the transaction ends, so that loads follow one another."""
    warehouse.take_turns(connection, _LEDGER, f"star_loaded:{problem}")
    return _loaded(connection, problem)


def record(connection: Connection, problem: str, now: Loaded) -> None:
    """Move the high-water mark."""
    connection.execute(
        """
        INSERT INTO warehouse.star_loaded
            (problem, silver_table_uuid, silver_snapshot_id, silver_seq, shape, tables, rows)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (problem) DO UPDATE SET
            (silver_table_uuid, silver_snapshot_id, silver_seq, shape, tables, rows, loaded_at) =
            (excluded.silver_table_uuid, excluded.silver_snapshot_id, excluded.silver_seq, excluded.shape,
             excluded.tables, excluded.rows, clock_timestamp())
        """,
        (problem, now.silver_table_uuid, now.silver_snapshot_id, now.silver_seq, now.shape, now.tables, now.rows),
    )


def forget(connection: Connection, problem: str) -> None:
    """Drop a problem's star and its high-water mark; `dim_date` stays. Harmless when there is neither."""
    before = lock(connection, problem)
    for name in before.tables if before else ():
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table(name)))
    connection.execute("DELETE FROM warehouse.star_loaded WHERE problem = %s", (problem,))


def _loaded(connection: Connection, problem: str) -> Loaded | None:
    with connection.cursor(row_factory=class_row(Loaded)) as cursor:
        return cursor.execute(
            "SELECT silver_table_uuid, silver_snapshot_id, silver_seq, shape, tables, rows FROM warehouse.star_loaded"
            " WHERE problem = %s",
            (problem,),
        ).fetchone()
