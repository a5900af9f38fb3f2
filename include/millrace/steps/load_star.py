"""Silver → the star schema of the warehouse, in one Postgres transaction."""

from typing import Any

from millrace.adapters import lake, star, warehouse
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.steps.load_warehouse import POSTGRES_TYPES, rows_of
from millrace.steps.recorded import CHANGED_SEQ, to_load

LIVING = "deleted == false"


def load_star(problem: Problem) -> dict[str, Any]:
    """Bring dimensions and facts to what silver's main holds. Readers see them before or after, never between.

    Only rows that changed since the last load are read, and the result is that of loading every row. A load that comes
    late, behind one of a newer silver, changes nothing: that is no error.

    Returns:
        table, outcome (loaded, current or newer), silver_snapshot_id, silver_seq, rows (facts); when loaded also came
        and gone (rows), repointed (facts), and members (dimension → rows).

    Raises:
        MillraceError: If the contract declares no star, there is no silver yet, or another problem owns a table.
    """
    of = star_of(problem)
    silver = names.silver(problem.source_name)
    head, seq = to_load(silver, CHANGED_SEQ)
    uuid = lake.table_uuid(silver)
    told = {
        "table": f"warehouse.{names.fact_table(of.star.fact.name)}",
        "silver_snapshot_id": head.snapshot_id,
        "silver_seq": seq,
    }
    with warehouse.connect() as connection:
        before = star.lock(connection, problem.problem)
        # Another table of the same name counts from the beginning; its numbers compare with nothing.
        last = before if before is not None and before.silver_table_uuid == uuid else None
        if last and last.silver_seq > seq:
            return {**told, "outcome": "newer", "rows": last.rows}
        reshaped = star.ensure_tables(connection, of, before)
        if last and last.silver_seq == seq and not reshaped:
            # Perhaps another snapshot, but one that changed no data, such as a compaction.
            star.record(connection, problem.problem, _loaded(of, uuid, head.snapshot_id, seq, last.rows))
            return {**told, "outcome": "current", "rows": last.rows}
        since = last.silver_seq if last and not reshaped else None
        done = _load(connection, of, silver, head.snapshot_id, since)
        star.record(connection, problem.problem, _loaded(of, uuid, head.snapshot_id, seq, done["rows"]))
    return {**told, "outcome": "loaded", **done}


def star_of(problem: Problem) -> star.StarTables:
    """The star that a problem declares.

    Raises:
        MillraceError: If it declares none.
    """
    if problem.warehouse is None:
        raise MillraceError(
            "The problem has no star schema",
            place=f"problem {problem.problem}",
            found="no key warehouse",
            expected="a fact and its dimensions",
            fix="docs/reference/problem.md explains the key warehouse",
        )
    types = {name: POSTGRES_TYPES[problem.columns()[name].type] for name in problem.warehouse.columns()}
    return star.StarTables(problem.problem, problem.warehouse, types)


def _loaded(of: star.StarTables, uuid: str, snapshot_id: int, seq: int, rows: int) -> star.Loaded:
    return star.Loaded(uuid, snapshot_id, seq, of.shape(), of.names, rows)


def _load(
    connection: warehouse.Connection, of: star.StarTables, silver: str, snapshot_id: int, since: int | None
) -> dict[str, Any]:
    columns = star.staged_columns(of)
    changed = None if since is None else f"changed_seq > {since}"
    batches = lake.read_batches(silver, snapshot_id=snapshot_id, columns=columns, where=changed)
    return star.load(
        connection,
        of,
        rows_of(batches, columns),
        living_rows=lake.count(silver, snapshot_id, LIVING),
        living_keys=lambda: rows_of(
            lake.read_batches(silver, snapshot_id=snapshot_id, columns=("row_key",), where=LIVING), ("row_key",)
        ),
        whole=since is None,
    )
