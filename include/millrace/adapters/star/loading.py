"""One load: what rows say is observed, members and facts follow."""

from collections.abc import Callable, Iterable
from typing import Any

from millrace.adapters.star.facts import ensure_dates, load_facts
from millrace.adapters.star.members import load_members
from millrace.adapters.star.observed import observe, remove_vanished
from millrace.adapters.star.phrases import rows_of
from millrace.adapters.star.tables import StarTables
from millrace.adapters.warehouse import Connection

Rows = Iterable[tuple[Any, ...]]


def load(
    connection: Connection,
    of: StarTables,
    changed: Rows,
    *,
    living_rows: int,
    living_keys: Callable[[], Rows],
    whole: bool,
) -> dict[str, Any]:
    """Bring the tables to what silver says, within the transaction of the connection.

    Args:
        changed: The rows that changed since the last load, or all; values in the order of `staged_columns`.
        living_rows: How many rows silver holds, deleted ones left out.
        living_keys: Their keys, asked for only if rows vanished.
        whole: Whether to look at every member and fact, as `ensure_tables` or another silver demand.

    Returns:
        came, gone (rows that vanished), repointed (facts), rows (facts), members (dimension → rows).

    Raises:
        MillraceError: If a value is too long to be a key.
    """
    came = observe(connection, of, changed)
    # Every living row is observed by now, so equal counts mean equal keys.
    vanished = rows_of(connection, of.observed) != living_rows
    gone = remove_vanished(connection, of, living_keys()) if vanished else 0
    ensure_dates(connection)
    for name in of.star.dimensions:
        load_members(connection, of, name, whole=whole)
    repointed = load_facts(connection, of, whole=whole)
    members = {name: rows_of(connection, of.dimension(name)) - 1 for name in of.star.dimensions}
    return {
        "came": came,
        "gone": gone,
        "repointed": repointed,
        "rows": living_rows,
        "members": members,
    }
