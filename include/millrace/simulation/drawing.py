"""Valid values for the columns of a source, drawn from what its contract says of them."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.contract.source import Column, CrossColumnRule
from millrace.simulation.patterns import Pattern

Values = NDArray[np.generic]
Mask = NDArray[np.bool_]
Seconds = NDArray[np.int64]

MISSING_SHARE = 0.06
FREE_TEXTS = 8
"""Distinct values of a string column that has neither allowed values nor a pattern."""
# One row a second; the past, so that no file lands before the time of its rows.
FIRST_EVENT = int(np.datetime64("2010-01-01T00:00:00", "s").astype(int))
_YEAR_SECONDS = 365 * 24 * 3600
_COMPARISONS = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@dataclass(frozen=True)
class Drawn:
    """Column → values, and where they are missing. Timestamps are seconds since 1970."""

    values: dict[str, Values]
    missing: dict[str, Mask]


def steady(*parts: str) -> np.random.Generator:
    """Randomness that is the same for every file: it belongs to the world, not to a sample of it."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8]))


def draw(problem: Problem, rng: np.random.Generator, rows: int, first_row: int) -> Drawn:
    """Rows that break no constraint; their keys and times rise from `first_row`.

    Raises:
        MillraceError: If a rule between columns cannot be met, or a key not be made.
    """
    source = problem.source
    numbers = np.arange(first_row, first_row + rows)
    times = FIRST_EVENT + numbers
    values: dict[str, Values] = {}
    for name, column in source.columns.items():
        if name in source.primary_key and column.allowed is None:
            values[name] = numbered(name, column, numbers)
        elif name == source.event_timestamp:
            values[name] = times
        else:
            values[name] = draw_column(problem, name, rng, rows, times)
    for _ in range(len(source.rules) + 1):
        for rule in source.rules:
            _meet(problem, rule, values, rng, times)
    missing = {name: np.zeros(rows, dtype=bool) for name in source.columns}
    for name, column in source.columns.items():
        if column.nullable and null_texts(problem, name) and name not in source.primary_key:
            missing[name] = rng.random(rows) < MISSING_SHARE
    return Drawn(values, missing)


def draw_column(problem: Problem, name: str, rng: np.random.Generator, rows: int, times: Seconds) -> Values:
    """Valid values of one column, each by itself."""
    column = problem.source.columns[name]
    if (choices := levels(problem, name)) is not None:
        shares = steady(problem.problem, name, "shares").uniform(0.5, 1.5, len(choices))
        return np.array(choices, dtype=object)[rng.choice(len(choices), size=rows, p=shares / shares.sum())]
    if column.type == "string":
        assert column.pattern is not None
        pattern = Pattern(column.pattern, name)
        return np.array([pattern.text(n) for n in rng.integers(0, min(pattern.capacity, 2**62), rows)], dtype=object)
    if column.type == "boolean":
        return rng.random(rows) < steady(problem.problem, name, "shares").uniform(0.2, 0.8)
    if column.type == "timestamp":
        return times + rng.integers(-_YEAR_SECONDS, _YEAR_SECONDS, rows)
    low, high = bounds(column)
    return _numbers(problem, name, low + (high - low) * rng.beta(2, 5, rows))


def levels(problem: Problem, name: str) -> list[str | int] | None:
    """The values of a column that has only a few; None for any other."""
    column, nulls = problem.source.columns[name], null_texts(problem, name)
    if column.allowed is not None:
        return [value for value in column.allowed if str(value) not in nulls and isinstance(value, str | int)]
    if column.type == "string" and column.pattern is None:
        return [f"{name}_{number}" for number in range(FREE_TEXTS)]
    return None


def bounds(column: Column) -> tuple[float, float]:
    """The range of a number, where an open end lies 100 from the other."""
    low = column.min if column.min is not None else (column.max - 100 if column.max is not None else 0.0)
    return low, column.max if column.max is not None else low + 100


def null_texts(problem: Problem, name: str) -> tuple[str, ...]:
    """The spellings of "no value" in a column."""
    return (*problem.source.null_values, *problem.source.columns[name].null_values)


def violates(rule: CrossColumnRule, left: Values, right: Values) -> Mask:
    return ~np.asarray(_COMPARISONS[rule.operator](left, right), dtype=bool)


def text(problem: Problem, name: str, values: Values) -> list[str]:
    """Values as a file says them."""
    kind = problem.source.columns[name].type
    if kind == "boolean":
        return ["true" if value else "false" for value in values.tolist()]
    if kind == "timestamp":
        return [f"{moment}Z" for moment in np.datetime_as_string(values.astype("datetime64[s]")).tolist()]
    said = [str(value) for value in values.tolist()]
    return [word.replace(".", problem.source.decimal) for word in said] if kind == "number" else said


def _numbers(problem: Problem, name: str, raw: NDArray[np.float64]) -> Values:
    column = problem.source.columns[name]
    low, high = bounds(column)
    digits = 0 if column.type == "integer" else max(0, 3 - int(np.log10(max(high - low, 1.0))))
    values = np.clip(np.round(raw, digits), np.ceil(low) if digits == 0 else low, high)
    # A value that spells "no value" would be missing; its neighbour is not.
    hidden = np.array([spelled in null_texts(problem, name) for spelled in text(problem, name, _typed(column, values))])
    step = 10.0**-digits
    values = np.where(hidden, np.where(values + step <= high, values + step, values - step), values)
    return _typed(column, np.round(values, digits) if digits else values)


def _typed(column: Column, values: NDArray[np.float64]) -> Values:
    return values.astype(np.int64) if column.type == "integer" else values


def numbered(name: str, column: Column, numbers: NDArray[np.int64]) -> Values:
    """Values of a key, one a number, each different from all others.

    Raises:
        MillraceError: If the type or pattern has none.
    """
    if column.type == "integer":
        return numbers + int(column.min or 0)
    if column.type == "timestamp":
        return FIRST_EVENT + numbers
    if column.type != "string":
        raise MillraceError(
            "The simulator cannot make keys of this type",
            place=f"column {name}",
            found=f"type {column.type}",
            expected="string, integer or timestamp",
            fix="land a file of your own",
        )
    if column.pattern is None:
        return np.array([f"{name}-{number:09d}" for number in numbers.tolist()], dtype=object)
    pattern = Pattern(column.pattern, name)
    return np.array([pattern.text(number) for number in numbers.tolist()], dtype=object)


def _meet(
    problem: Problem, rule: CrossColumnRule, values: dict[str, Values], rng: np.random.Generator, times: Seconds
) -> None:
    """Draw the sides of a rule again, where it is broken, until it holds."""
    source = problem.source
    fixed = {*source.primary_key, source.event_timestamp}
    free = [name for name in (rule.left, rule.right) if name not in fixed]
    if rule.operator == "==" and free:
        values[free[0]] = values[rule.right if free[0] == rule.left else rule.left].copy()
    for _ in range(200):
        broken = violates(rule, values[rule.left], values[rule.right])
        if not broken.any():
            return
        for name in free:
            values[name][broken] = draw_column(problem, name, rng, int(broken.sum()), times[broken])
    raise MillraceError(
        "The simulator found no values that meet a rule",
        place=f"source {problem.source_name}, rule {rule.name}",
        found=f"{int(broken.sum())} of {len(times)} rows break {rule.left} {rule.operator} {rule.right}",
        expected="ranges of the two columns in which the rule is often met",
        fix="check the ranges of the two columns, or land a file of your own",
    )
