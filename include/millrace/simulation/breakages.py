"""Known ways to break a row: each breaks exactly the constraints whose codes it names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from millrace.contract.constraints import (
    FIELD_COUNT,
    ColumnConstraint,
    Constraint,
    CrossColumn,
    HasType,
    InRange,
    InSet,
    Required,
    reason,
    source_constraints,
)
from millrace.contract.problem import Problem
from millrace.contract.source import Column, CrossColumnRule
from millrace.simulation.drawing import bounds, draw_column, null_texts, steady, text, violates

TWICE_BROKEN_SHARE = 0.2
_POOL_ROWS = 300


@dataclass(frozen=True)
class Breakage:
    """One way to break a row: columns, and texts for them to choose from. Without columns: a field too many or few."""

    code: str
    columns: tuple[str, ...] = ()
    choices: tuple[tuple[str, ...], ...] = ((),)


def breakages(problem: Problem) -> list[Breakage]:
    """Every way to break a row of this problem's source that breaks one constraint and no other."""
    found = [_breakage(problem, constraint) for constraint in source_constraints(problem.source)]
    # A row of Parquet cannot have a field too many.
    miscounted = [Breakage(FIELD_COUNT)] if problem.source.format == "csv" else []
    return [*(each for each in found if each.choices), *miscounted]


def break_rows(
    problem: Problem,
    rows: list[list[str]],
    chosen: list[int],
    rng: np.random.Generator,
    ways: Sequence[Breakage] | None = None,
) -> dict[str, int]:
    """Break the chosen rows in place, in every known way in turn, some in two ways.

    Args:
        ways: Those to choose from; default: all.

    Returns:
        Code → how many rows break it.
    """
    ways = ways or breakages(problem)
    position = {name: place for place, name in enumerate(problem.source.columns)}
    counts: dict[str, int] = {}
    in_turn = cycle([ways[place] for place in rng.permutation(len(ways))])
    for row in chosen:
        first, second = next(in_turn), ways[int(rng.integers(len(ways)))]
        twice = first.columns and second.columns and not {*first.columns} & {*second.columns}
        for breakage in (first, second) if twice and rng.random() < TWICE_BROKEN_SHARE else (first,):
            counts[breakage.code] = counts.get(breakage.code, 0) + 1
            said = breakage.choices[int(rng.integers(len(breakage.choices)))]
            for name, word in zip(breakage.columns, said, strict=True):
                rows[row][position[name]] = word
        if not first.columns:
            _miscount(rows[row], rng)
    return dict(sorted(counts.items()))


def _miscount(row: list[str], rng: np.random.Generator) -> None:
    if len(row) > 1 and rng.random() < 0.5:
        row.pop()
    else:
        row.append("surplus")


def _breakage(problem: Problem, constraint: Constraint) -> Breakage:
    if isinstance(constraint, CrossColumn):
        rule = constraint.rule
        return Breakage(reason(constraint), (rule.left, rule.right), tuple(_rule_choices(problem, rule)))
    name = constraint.column
    return Breakage(reason(constraint), (name,), tuple((said,) for said in _choices(problem, name, constraint)))


def _choices(problem: Problem, name: str, constraint: ColumnConstraint) -> list[str]:
    """Texts that break this constraint alone; none where every such text would break another one too."""
    column, nulls = problem.source.columns[name], null_texts(problem, name)
    if isinstance(constraint, Required):
        return list(nulls)
    if isinstance(constraint, HasType):
        found = (
            [] if column.type == "string" else ["not a value", "12,5" if problem.source.decimal == "." else "12.5", "?"]
        )
    elif any(name in (rule.left, rule.right) for rule in problem.source.rules):
        found = []
    elif isinstance(constraint, InRange):
        found = _out_of_range(column) if column.allowed is None else []
    elif isinstance(constraint, InSet):
        found = _not_allowed(column) if column.pattern is None else []
    else:
        pattern = re.compile(constraint.pattern, re.ASCII)
        found = [said for said in ("~1~", "~", "no match ~ 2") if not pattern.fullmatch(said)]
        found = found if column.allowed is None else []
    return [said for said in found if said not in nulls]


def _out_of_range(column: Column) -> list[str]:
    steps = (1, 2, 10, 500)
    above = [] if column.max is None else [str(int(column.max) + step) for step in steps]
    below = [] if column.min is None else [str(int(column.min) - step) for step in steps]
    return above or below


def _not_allowed(column: Column) -> list[str]:
    assert column.allowed is not None
    if column.type == "string":
        found = [f"{column.allowed[0]}?", "other than allowed"]
        return [said for said in found if said not in column.allowed]
    largest = max(int(value) for value in column.allowed)
    low, high = bounds(column) if column.max is not None else (column.min or 0, np.inf)
    return [str(value) for value in (largest + 1, largest + 7) if low <= value <= high]


def _rule_choices(problem: Problem, rule: CrossColumnRule) -> list[tuple[str, str]]:
    source = problem.source
    sides = {rule.left, rule.right}
    shared = any(sides & {other.left, other.right} for other in source.rules if other.name != rule.name)
    if shared or sides & {*source.primary_key, source.event_timestamp, problem.label_column}:
        return []
    rng = steady(problem.problem, rule.name, "pool")
    times = np.full(_POOL_ROWS, int(np.datetime64("2010-01-01", "s").astype(int)))
    left, right = (draw_column(problem, name, rng, _POOL_ROWS, times) for name in (rule.left, rule.right))
    if rule.operator == "!=":
        right = left
    broken = violates(rule, left, right)
    return list(zip(text(problem, rule.left, left[broken]), text(problem, rule.right, right[broken]), strict=True))
