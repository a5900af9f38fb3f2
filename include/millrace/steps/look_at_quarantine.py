"""What did not get through, told to a person: files set aside, and broken rows with the values that broke them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.constraints import Constraint, CrossColumn, reason, source_constraints
from millrace.contract.problem import Problem

HIDDEN = "(sensitive)"


@dataclass(frozen=True)
class BrokenRow:
    """Where a row came from, why it is in quarantine, and what stood in the columns that the reasons are about."""

    path: str
    row_number: int
    reasons: tuple[str, ...]
    values: Mapping[str, str | None]
    raw: str | None
    """The text of a row that has no fields; None where the source has a sensitive column."""


def files_set_aside(problem: Problem) -> list[tuple[str, str]]:
    """Path of each file of which no row was taken, and why."""
    table = names.bronze_files(problem.source_name)
    if not lake.table_exists(table):
        return []
    found = lake.read(table, columns=("path", "detail"), where="record == 'file' and status == 'set_aside'")
    return [(row["path"], row["detail"]) for row in found.to_pylist()]


def broken_rows(problem: Problem, *, code: str | None = None) -> Iterator[BrokenRow]:
    """The rows that break the contract of today, the newest first.

    Args:
        code: Only rows with this reason.
    """
    table = names.quarantine(problem.source_name)
    if not lake.table_exists(table):
        return
    columns = ("path", "row_number", "reasons", "fields", "raw", "quarantined_at")
    found = lake.read(table, columns=columns, where=f"contract_hash == '{problem.contract_hash()}'").to_pylist()
    for row in sorted(found, key=lambda row: (row["quarantined_at"], row["path"], row["row_number"]), reverse=True):
        if code is None or code in row["reasons"]:
            yield told(problem, row)


def told(problem: Problem, row: Mapping[str, Any]) -> BrokenRow:
    """A row of the quarantine table without any value of a sensitive column."""
    source = problem.source
    about = {reason(c): _columns(c) for c in source_constraints(source)}
    fields = dict(row["fields"] or [])
    wanted = dict.fromkeys(name for code in row["reasons"] for name in about.get(code, ()))
    values = {name: HIDDEN if source.columns[name].sensitive else fields.get(name) for name in wanted}
    private = any(column.sensitive for column in source.columns.values())
    raw = None if private else row["raw"]
    return BrokenRow(row["path"], row["row_number"], tuple(row["reasons"]), values, raw)


def _columns(constraint: Constraint) -> tuple[str, ...]:
    if isinstance(constraint, CrossColumn):
        return (constraint.rule.left, constraint.rule.right)
    return (constraint.column,)
