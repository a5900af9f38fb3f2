"""The feature program: row-level features as data, run by the same code in training (columns) and serving (one row).

A column of values is a float64 array with NaN for a missing number (integers and booleans too), or an object array with
None for a missing string or time. Everything inside is float64; one cast to float32 stands at the end, and after it
this way of running and the one for single rows (`feature_rows`) agree exactly. A node reads the earlier node of that
name, or else the column; `missing`, `one_hot` and `time_part` always read the column.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from millrace.contract.errors import MillraceError
from millrace.contract.feature_nodes import (
    Bin,
    FeatureNode,
    Log1p,
    Missing,
    Numeric,
    OneHot,
    Ratio,
    TimePart,
    node_inputs,
    node_name,
)
from millrace.contract.model import Model
from millrace.contract.problem import Problem
from millrace.contract.source import Column, ColumnName, ColumnType, Scalar
from millrace.domain.times import micros_of, time_parts

Row = Mapping[str, Scalar | None]
Columns = Mapping[str, NDArray[np.generic]]
Floats = NDArray[np.float64]
Labels = NDArray[np.int8]
Matrix = NDArray[np.float32]
Level = TypeVar("Level", str, float)
LARGEST = float(np.finfo(np.float32).max)

MOST_LEVELS = 30
OTHER = "(other)"


class FeatureProgram(Model):
    """Nodes with every default resolved: medians, levels and names are numbers and words, nothing is left to fit."""

    inputs: dict[ColumnName, ColumnType]
    """Type of every column that the nodes read."""
    nodes: tuple[FeatureNode, ...]

    def names(self) -> tuple[str, ...]:
        """One name for each feature, in the order of the model's input."""
        return tuple(name for node in self.nodes for name in _outputs(node))

    def sources(self) -> tuple[tuple[str, ...], ...]:
        """The input columns behind each feature, in the same order."""
        behind: dict[str, tuple[str, ...]] = {}
        found: list[tuple[str, ...]] = []
        for node in self.nodes:
            direct = isinstance(node, Missing | OneHot)
            reached = [(name,) if direct else behind.get(name, (name,)) for name in node_inputs(node)]
            columns = tuple(dict.fromkeys(column for group in reached for column in group))
            behind[node_name(node)] = columns
            found += [columns] * len(_outputs(node))
        return tuple(found)


def fit(problem: Problem, columns: Columns) -> FeatureProgram:
    """Resolve a problem's feature nodes on training rows: medians, levels of categories.

    Args:
        problem: Its feature nodes, or the default ones.
        columns: At least the problem's input columns, of equal length.

    Raises:
        MillraceError: If a node reads a string as a number, a median or level has no value to come from, or `levels`
            lists more than 30.
    """
    inputs = problem.input_columns()
    fitted: list[FeatureNode] = []
    known: dict[str, Floats] = {}
    for node in problem.feature_nodes():
        resolved = _resolve(problem, node, columns, inputs, known)
        fitted.append(resolved)
        if not isinstance(resolved, OneHot):
            known[node_name(resolved)] = _run_node(resolved, _numbers_of(resolved, columns, known))
    read = {name for node in fitted for name in node_inputs(node)}
    types = {n: c.type for n, c in problem.request_columns().items() if n in read}
    return FeatureProgram(inputs=types, nodes=tuple(fitted))


def run_columns(program: FeatureProgram, columns: Columns) -> Matrix:
    """The features of many rows: float32, shape (rows, features)."""
    known: dict[str, Floats] = {}
    outputs: list[Floats] = []
    for node in program.nodes:
        if isinstance(node, OneHot):
            outputs += _one_hot_columns(node, program.inputs[node.input], columns[node.input])
            continue
        result = _run_node(node, _numbers_of(node, columns, known))
        known[node_name(node)] = result
        outputs.append(result)
    return as_float32(np.column_stack(outputs))


def as_float32(features: Floats) -> Matrix:
    """The one cast to what models read. A number beyond float32 becomes its largest: XGBoost refuses infinity."""
    return np.maximum(np.minimum(features, LARGEST), -LARGEST).astype(np.float32)


def request_types(problem: Problem) -> dict[str, ColumnType]:
    """The type of every column of a request."""
    return {name: column.type for name, column in problem.request_columns().items()}


def columns_of(rows: Sequence[Row], types: Mapping[str, ColumnType]) -> dict[str, NDArray[np.generic]]:
    """Turn rows into columns as this module reads them."""
    return {
        name: np.array([row.get(name) for row in rows], dtype=object if kind in ("string", "timestamp") else np.float64)
        for name, kind in types.items()
    }


def _outputs(node: FeatureNode) -> tuple[str, ...]:
    name = node_name(node)
    if isinstance(node, OneHot):
        return (*(f"{name}={level}" for level in node.levels or ()), f"{name}={OTHER}")
    return (name,)


def _resolve(
    problem: Problem, node: FeatureNode, columns: Columns, inputs: Mapping[str, Column], known: Mapping[str, Floats]
) -> FeatureNode:
    named = node.model_copy(update={"name": node_name(node)})
    if isinstance(named, OneHot):
        return named.model_copy(update={"levels": _levels(problem, named, columns[named.input], inputs[named.input])})
    if not isinstance(named, Missing | TimePart):
        for name in node_inputs(named):
            if name not in known and (name not in inputs or inputs[name].type == "string"):
                raise _unfit(problem, named, f"{name} is a category", "a number", f"use one_hot for {name}")
    if isinstance(named, Bin):
        return named.model_copy(update={"edges": tuple(sorted(named.edges))})
    if isinstance(named, Numeric) and named.impute == "median":
        (values,) = _numbers_of(named, columns, known)
        present = values[~np.isnan(values)]
        if not present.size:
            found = f"no value of {named.input} in {values.size} training rows"
            fix = f"exclude {named.input}, or give `impute` a number"
            raise _unfit(problem, named, found, "at least one value", fix)
        return named.model_copy(update={"impute": float(np.median(present))})
    return named


def _levels(problem: Problem, node: OneHot, values: NDArray[np.generic], column: Column) -> tuple[str, ...]:
    levels: tuple[str, ...]
    if node.levels is not None:
        levels = node.levels
    elif column.allowed is not None and len(column.allowed) <= MOST_LEVELS:
        levels = tuple(str(value) for value in column.allowed)
    elif column.type == "string":
        levels = _most_frequent([leading(str(value), node.depth) for value in values.tolist() if value is not None])
    else:
        numbers = values.astype(np.float64)
        frequent = _most_frequent(numbers[~np.isnan(numbers)].tolist())
        levels = tuple(_spelled(value, column.type) for value in frequent)
    if not 0 < len(levels) <= MOST_LEVELS:
        found = f"{len(levels)} levels of {node.input}"
        fix = f"name the levels that matter in `levels`, or exclude {node.input}"
        raise _unfit(problem, node, found, f"1 to {MOST_LEVELS} levels", fix)
    try:
        level_keys(levels, column.type)
    except (KeyError, ValueError) as error:
        raise _unfit(problem, node, f"level {error}", f"levels that are {column.type}", "correct `levels`") from error
    return levels


def _most_frequent(values: list[Level]) -> tuple[Level, ...]:
    """The levels that are told apart, in their own order; of two that are as frequent, the lower."""
    counted = sorted(Counter(values).items(), key=lambda level: (-level[1], level[0]))
    return tuple(sorted(level for level, _ in counted[:MOST_LEVELS]))


def _spelled(value: float, kind: ColumnType) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    return str(int(value)) if kind == "integer" else repr(value)


def level_keys(levels: Sequence[str], kind: ColumnType) -> list[str | float]:
    """What a value is compared with: numbers as numbers, so that 1, 1.0 and true from a request are one level."""
    if kind == "string":
        return list(levels)
    if kind == "boolean":
        return [{"true": 1.0, "false": 0.0}[level.lower()] for level in levels]
    return [float(level) for level in levels]


def _numbers_of(node: FeatureNode, columns: Columns, known: Mapping[str, Floats]) -> list[Floats]:
    if isinstance(node, Missing):
        values = columns[node.input]
        if values.dtype == object:
            return [np.array([np.nan if value is None else 0.0 for value in values])]
        return [values.astype(np.float64)]
    if isinstance(node, TimePart):
        return [micros_of(columns[node.input])]
    return [known[n] if n in known else columns[n].astype(np.float64) for n in node_inputs(node)]


def _run_node(node: FeatureNode, inputs: list[Floats]) -> Floats:
    values = inputs[0]
    if isinstance(node, Numeric):
        if node.impute != "keep":
            values = np.where(np.isnan(values), node.impute, values)
        return np.clip(values, *bounds(node)).astype(np.float64)
    if isinstance(node, Log1p):
        return np.log1p(np.maximum(values, 0.0))
    if isinstance(node, Ratio):
        unusable = np.isnan(values) | np.isnan(inputs[1]) | (inputs[1] == 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(unusable, node.when_zero, values / np.where(unusable, 1.0, inputs[1]))
    if isinstance(node, Bin):
        codes = np.searchsorted(np.array(node.edges), values, side="right").astype(np.float64)
        return np.where(np.isnan(values), -1.0, codes)
    if isinstance(node, TimePart):
        return time_parts(node, values)
    return np.isnan(values).astype(np.float64)


def _one_hot_columns(node: OneHot, kind: ColumnType, values: NDArray[np.generic]) -> list[Floats]:
    compared = values if kind == "string" else values.astype(np.float64)
    if node.depth is not None:
        parts = [None if value is None else leading(value, node.depth) for value in compared.tolist()]
        compared = np.array(parts, dtype=object)
    hits = [np.asarray(compared == key, dtype=np.float64) for key in level_keys(node.levels or (), kind)]
    return [*hits, 1.0 - np.sum(hits, axis=0)]


def leading(text: str, depth: int | None) -> str:
    """The leading parts of a dotted text; all of it where no depth is told, or it has no more."""
    return text if depth is None else ".".join(text.split(".", depth)[:depth])


def bounds(node: Numeric) -> tuple[float, float]:
    """Lowest and highest value that a node lets through; an open end is infinite."""
    return (-np.inf if node.min is None else node.min, np.inf if node.max is None else node.max)


def _unfit(problem: Problem, node: FeatureNode, found: str, expected: str, fix: str) -> MillraceError:
    place = f"problem {problem.problem}, feature {node_name(node)} ({node.kind})"
    return MillraceError("A feature cannot be fitted", place=place, found=found, expected=expected, fix=fix)
