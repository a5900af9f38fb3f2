"""The check between an attempt's branch of bronze and its main: is what was written what was read?"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.steps.bronze_table import SCHEMA


def check_raw_data(problem: Problem, ingested: dict[str, Any]) -> dict[str, Any]:
    """Check the branch that `ingest_raw_data` wrote, and publish it.

    Args:
        ingested: What `ingest_raw_data` returned.

    Returns:
        table, snapshot_id (of main), files and rows that this attempt published.

    Raises:
        VerdictError: If a marker's row count is not that of the rows, or the schema is not bronze's.
        LostRaceError: If another attempt published first.
    """
    table = names.bronze_files(problem.source_name)
    if ingested["branch"] is None:
        head = lake.head(table)
        return {"table": table, "snapshot_id": head.snapshot_id if head else None, "files": 0, "rows": 0}
    branch = lake.Branch(table, ingested["branch"], ingested["base"])
    # Without a branch, an earlier try of this very task may have published; `publish` knows.
    if lake.head(table, branch.name) is not None:
        faults = list(_faults(branch, ingested))
        if faults:
            lake.drop_branch(branch)
            raise VerdictError(
                "Bronze does not hold what was read",
                place=f"table {table}, branch {branch.name}",
                found="; ".join(faults[:5]),
                expected="for each file one marker, and as many rows as it says",
                fix="start ingest_files again; if it fails again, look at the log of ingest_raw_data",
            )
    snapshot_id = lake.publish(branch)
    return {"table": table, "snapshot_id": snapshot_id, "files": ingested["files"], "rows": ingested["rows"]}


def _faults(branch: lake.Branch, ingested: dict[str, Any]) -> Iterator[str]:
    columns = lake.column_names(branch.table)
    expected = tuple(field.name for field in SCHEMA.fields)
    if columns != expected:
        yield f"columns {', '.join(columns)} instead of {', '.join(expected)}"
        return
    # One attempt has one time of ingestion, and a file's statistics hold it exactly: nothing else is read.
    mine = f"ingested_at == '{ingested['ingested_at']}'"
    markers = lake.read(
        branch.table, ref=branch.name, columns=("path", "status", "rows"), where=f"record == 'file' and {mine}"
    ).to_pylist()
    if len(markers) != ingested["files"] or not markers:
        yield f"{len(markers)} markers for {ingested['files']} files"
    found = _rows_by_path(branch, f"record == 'row' and {mine}")
    for marker in markers:
        counted, last = found.pop(marker["path"], (0, 0))
        if not counted == last == marker["rows"]:
            yield f"{marker['path']} ({marker['status']}): {counted} rows up to number {last}, marker {marker['rows']}"
    if found:
        yield f"rows of files without a marker: {', '.join(found)}"


def _rows_by_path(branch: lake.Branch, where: str) -> dict[str, tuple[int, int]]:
    """Path → how many rows, and the highest row number."""
    found: dict[str, tuple[int, int]] = {}
    for batch in lake.read_appended(branch.table, ref=branch.name, columns=("path", "row_number"), where=where):
        grouped = pa.table(batch).group_by("path").aggregate([("row_number", "count"), ("row_number", "max")])
        for path, counted, last in zip(*(grouped[name].to_pylist() for name in _GROUPED), strict=True):
            before = found.get(path, (0, 0))
            found[path] = (before[0] + counted, max(before[1], last))
    return found


_GROUPED = ("path", "row_number_count", "row_number_max")
