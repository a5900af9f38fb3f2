"""The content of a problem's tables, as its readers see it, in a form that can be compared."""

import hashlib
import json
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from millrace.adapters import lake, warehouse
from millrace.contract import names
from millrace.contract.problem import Problem

BRONZE = ("record", "row_number", "fields", "malformed", "raw", "status", "detail", "rows")
QUARANTINE = ("row_number", "row_key", "reasons", "fields", "raw")
NOTHING = hashlib.sha256(b"").hexdigest()
"""The fingerprint of a table without a row, or of none."""
EMPTY = {"gold": NOTHING, "warehouse": NOTHING}


def fingerprints(problem: Problem, *, numbered: bool = True) -> dict[str, str]:
    """Layer → hash of what main, or the serving table, holds. The same for every order of rows, run and file name.

    Two problems of the same columns that took in the same bytes in the same batches have the same fingerprints.

    Args:
        numbered: Whether the numbers of the batches count that changed a row (`changed_seq`, `gold_seq`).
    """
    silver_numbers, gold_values = (
        (("changed_seq",), gold_columns(problem)) if numbered else ((), gold_columns(problem)[:-1])
    )
    typed = [name for name in problem.source.columns if name != "event_timestamp"]
    return {
        "bronze": lake.fingerprint(names.bronze_files(problem.source_name), BRONZE),
        "silver": lake.fingerprint(
            names.silver(problem.source_name), ("row_key", "event_timestamp", *typed, "deleted", *silver_numbers)
        ),
        "quarantine": lake.fingerprint(names.quarantine(problem.source_name), QUARANTINE),
        "gold": lake.fingerprint(names.gold(problem.problem), gold_values),
        "warehouse": _hash(
            {key: {name: row[name] for name in gold_values} for key, row in served_rows(problem).items()}
        ),
    }


def gold_content(problem: Problem) -> str:
    """Fingerprint of gold alone, also where there is no gold yet."""
    table = names.gold(problem.problem)
    return lake.fingerprint(table, gold_columns(problem)) if lake.table_exists(table) else NOTHING


def warehouse_content(problem: Problem) -> str:
    """Fingerprint of the serving table alone, also where there is none yet."""
    return _hash(served_rows(problem))


def gold_columns(problem: Problem) -> tuple[str, ...]:
    return ("row_key", "event_timestamp", *problem.gold_columns(), "label", "gold_seq")


def served_rows(problem: Problem) -> dict[str, dict[str, Any]]:
    """Key → row of the warehouse's serving table, in gold's columns; empty where there is no such table."""
    table = warehouse.serving_table(problem.problem)
    listed = sql.SQL(", ").join(map(sql.Identifier, gold_columns(problem)))
    with warehouse.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        there = cursor.execute("SELECT to_regclass(%s) AS name", [table.as_string(connection)]).fetchone()
        if there is None or there["name"] is None:
            return {}
        rows = cursor.execute(sql.SQL("SELECT {} FROM {}").format(listed, table)).fetchall()
    return {row["row_key"]: row for row in rows}


def gold_keys(problem: Problem) -> set[str]:
    """Keys of gold's main; empty where there is no gold."""
    table = names.gold(problem.problem)
    return set(lake.read(table, columns=("row_key",))["row_key"].to_pylist()) if lake.table_exists(table) else set()


def _hash(rows: dict[str, dict[str, Any]]) -> str:
    told = sorted(json.dumps(list(row.values()), default=str) for row in rows.values())
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
