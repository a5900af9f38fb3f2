"""What each row of silver said, kept in the warehouse; and for each load, which rows came and which are gone.

A row that changed is both: gone as it was, and come as it is. The two sets are temporary tables, `came` and `gone`.
"""

from collections.abc import Iterable
from typing import Any

from psycopg import errors, sql

from millrace.adapters import warehouse
from millrace.adapters.star.phrases import ROW_KEY, differ, listed, run
from millrace.adapters.star.tables import StarTables
from millrace.adapters.warehouse import Connection
from millrace.contract import names
from millrace.contract.errors import MillraceError


def staged_columns(of: StarTables) -> tuple[str, ...]:
    """What `observe` takes of each row of silver, in order."""
    return ("row_key", "event_timestamp", "deleted", *of.star.columns())


def observe(connection: Connection, of: StarTables, rows: Iterable[tuple[Any, ...]]) -> int:
    """Take rows of silver in. One that says what it said before is neither come nor gone.

    Args:
        rows: Values in the order of `staged_columns`.

    Returns:
        How many rows came.

    Raises:
        MillraceError: If a value is too long to be a key.
    """
    types = {name: of.types[name] for name in of.star.columns()}
    columns = {"row_key": ROW_KEY, "event_timestamp": "timestamp with time zone", "deleted": "boolean", **types}
    warehouse.stage(connection, "came", columns, rows)
    kept = ("event_timestamp", *types)
    run(
        connection,
        "CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT o.* FROM {observed} o JOIN came c USING (row_key)"
        " WHERE c.deleted OR {changed}",
        observed=of.observed,
        changed=differ(kept, "o", "c"),
    )
    run(connection, "DELETE FROM {observed} o USING gone g WHERE g.row_key = o.row_key", observed=of.observed)
    run(
        connection,
        "DELETE FROM came c WHERE c.deleted OR EXISTS (SELECT FROM {observed} o WHERE o.row_key = c.row_key)",
        observed=of.observed,
    )
    inserted = listed(("row_key", *kept))
    try:
        came = run(
            connection,
            "INSERT INTO {observed} ({columns}) SELECT {columns} FROM came",
            observed=of.observed,
            columns=inserted,
        )
        _index(connection, of)
    except errors.ProgramLimitExceeded as error:
        raise _too_long(of, error) from error
    run(connection, "ANALYZE came")
    run(connection, "ANALYZE {observed}", observed=of.observed)
    return came


def _index(connection: Connection, of: StarTables) -> None:
    """What a member was told, by time. Made after the first rows: that takes half as long as before them."""
    for place, dimension in enumerate(of.star.dimensions.values()):
        run(
            connection,
            "CREATE INDEX IF NOT EXISTS {name} ON {observed} ({key})",
            name=sql.Identifier(f"{names.observed_table(of.problem)}_{place}"),
            observed=of.observed,
            key=listed((*dimension.key, "event_timestamp")),
        )


def remove_vanished(connection: Connection, of: StarTables, keys: Iterable[tuple[Any, ...]]) -> int:
    """Let go of the rows whose key is not among these.

    Returns:
        How many there were.
    """
    warehouse.stage(connection, "living", {"row_key": ROW_KEY}, keys)
    return run(
        connection,
        "WITH vanished AS (DELETE FROM {observed} o"
        " WHERE NOT EXISTS (SELECT FROM living l WHERE l.row_key = o.row_key) RETURNING o.*)"
        " INSERT INTO gone SELECT * FROM vanished",
        observed=of.observed,
    )


def _too_long(of: StarTables, error: errors.ProgramLimitExceeded) -> MillraceError:
    return MillraceError(
        "A value is too long for the key of a dimension",
        place=f"problem {of.problem}, key warehouse.dimensions",
        found=str(error).splitlines()[0],
        expected="keys of at most some 2,000 characters",
        fix="give the key column a `pattern` that bounds its length, or choose another key",
    )
