"""Golden rows: synthetic requests that obey the contract, with which a package proves itself wherever it is opened.

Each column is drawn by itself from the reference bins, so that no golden row is a person's.
"""

import operator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from millrace.contract.constraints import number_said
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.contract.source import Column, CrossColumnRule, Scalar, Source

COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
ATTEMPTS_PER_ROW = 200
NULL_SHARE = 0.15
FIRST_TIME = datetime(2026, 1, 1, tzinfo=UTC)
YEAR_SECONDS = 365 * 86_400


def synthetic_rows(
    problem: Problem, reference: dict[str, Any], *, count: int, seed: int
) -> list[dict[str, Scalar | None]]:
    """Rows of request columns that satisfy every constraint of the contract, rules between columns too.

    Args:
        reference: What `reference.reference` told of the training rows.

    Raises:
        MillraceError: If the rules between columns reject nearly everything that is drawn.
    """
    chance = np.random.default_rng(seed)
    requested = problem.request_columns()
    rules = [rule for rule in problem.source.rules if rule.left in requested and rule.right in requested]
    rows: list[dict[str, Scalar | None]] = []
    for _ in range(count * ATTEMPTS_PER_ROW):
        row = {name: _draw(problem, name, column, reference, chance) for name, column in requested.items()}
        for name, column in requested.items():
            if _reads_as_nothing(row[name], column, problem.source):
                row[name] = None
        complete = all(column.nullable or row[name] is not None for name, column in requested.items())
        if complete and all(_holds(rule, row) for rule in rules):
            rows.append(row)
        if len(rows) == count:
            return rows
    raise MillraceError(
        "No synthetic rows can be drawn that obey the contract",
        place=f"problem {problem.problem}, rules {', '.join(rule.name for rule in rules)}",
        found=f"{len(rows)} of {count} rows after {count * ATTEMPTS_PER_ROW} draws",
        expected="rules that ordinary values of their columns satisfy",
        fix="look at the rules: do most rows of the source really obey them?",
    )


def _holds(rule: CrossColumnRule, row: dict[str, Scalar | None]) -> bool:
    left, right = row[rule.left], row[rule.right]
    return left is None or right is None or bool(COMPARE[rule.operator](left, right))


def _reads_as_nothing(value: Scalar | None, column: Column, source: Source) -> bool:
    """Whether a caller who sends the value is taken to send none: the 0 that hides a missing measurement."""
    spellings = {*source.null_values, *column.null_values}
    if isinstance(value, str):
        return value in spellings
    if value is None or isinstance(value, bool):
        return False
    return any(number_said(text, source) == value for text in spellings)


def _draw(
    problem: Problem, name: str, column: Column, reference: dict[str, Any], chance: np.random.Generator
) -> Scalar | None:
    if column.nullable and chance.random() < NULL_SHARE:
        return None
    if column.allowed is not None:
        return column.allowed[int(chance.integers(len(column.allowed)))]
    if column.type == "timestamp":
        # Spread out, or no rule between two times would ever hold.
        return (FIRST_TIME + timedelta(seconds=int(chance.integers(YEAR_SECONDS)))).strftime("%Y-%m-%dT%H:%M:%SZ")
    if column.type == "boolean":
        return bool(chance.integers(2))
    if column.type == "string":
        levels = list(reference["columns"].get(name, {}).get("levels", {}))
        levels += [str(override.equals) for override in problem.overrides if override.column == name]
        return levels[int(chance.integers(len(levels)))] if levels else None
    return _number(column, reference["columns"].get(name, {}).get("edges", []), chance)


def _number(column: Column, edges: list[float], chance: np.random.Generator) -> float | int:
    low, high = (edges[0], edges[-1]) if edges else (0.0, 1.0)
    margin = (high - low) * 0.1
    value = float(chance.uniform(low - margin, high + margin))
    # Rounded first: rounding must not carry a value over a limit.
    value = float(round(value)) if column.type == "integer" else round(value, 4)
    value = value if column.min is None else max(value, column.min)
    value = value if column.max is None else min(value, column.max)
    return int(value) if column.type == "integer" else value
