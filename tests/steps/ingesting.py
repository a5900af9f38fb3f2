"""From a landed file to what bronze holds of it."""

from typing import Any

from millrace.adapters import lake, object_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data

HEADER = b"Size,kind,done,sold\n"
"""Of the files of `small_problem`."""


def land(problem: Problem, name: str, content: bytes) -> str:
    """Land a file; its path."""
    object_store.put_landing(problem.landing_prefix + name, content)
    return problem.landing_prefix + name


def ingest(problem: Problem, run_id: str = "run", **more: Any) -> dict[str, Any]:
    """Ingest what is new and publish it; what ingesting told, and what publishing told over it."""
    ingested = ingest_raw_data(problem, attempt=run_id, run_id=run_id, **more)
    return ingested | check_raw_data(problem, ingested)


def bronze(problem: Problem, record: str) -> list[dict[str, Any]]:
    """The records of a kind, row or file, that main holds, by path and row number."""
    found = lake.read(names.bronze_files(problem.source_name), where=f"record == '{record}'").to_pylist()
    return sorted(found, key=lambda row: (row["path"], row["row_number"] or 0))


def rows_by_file(problem: Problem) -> dict[str, list[dict[str, str | None]]]:
    """Name of each file that was ingested → fields of its rows, in their order."""
    markers = [row for row in bronze(problem, "file") if row["status"] == "ingested"]
    found: dict[str, list[dict[str, str | None]]] = {_name(problem, row): [] for row in markers}
    for row in bronze(problem, "row"):
        found[_name(problem, row)].append(dict(row["fields"] or []))
    return found


def set_aside(problem: Problem) -> dict[str, str]:
    """Name of each file that was set aside → why."""
    markers = [row for row in bronze(problem, "file") if row["status"] == "set_aside"]
    return {_name(problem, row): row["detail"] for row in markers}


def _name(problem: Problem, row: dict[str, Any]) -> str:
    return str(row["path"]).removeprefix(problem.landing_prefix)
