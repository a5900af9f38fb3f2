"""The feature program for one row: a closure a node, a few microseconds in all. `features.run_columns` is its twin."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from math import isnan

import numpy as np

from millrace.contract.feature_nodes import (
    Bin,
    FeatureNode,
    Log1p,
    Missing,
    Numeric,
    OneHot,
    Ratio,
    TimePart,
    node_name,
)
from millrace.contract.source import ColumnType
from millrace.domain.features import FeatureProgram, Matrix, Row, as_float32, bounds, leading, level_keys
from millrace.domain.times import micros, time_part

# A step reads the row and the results of earlier nodes by name, and appends its features to the list.
Step = Callable[[Row, dict[str, float], list[float]], None]
Reader = Callable[[Row, dict[str, float]], float]

NAN = float("nan")


def compile_row(program: FeatureProgram) -> Callable[[Row], Matrix]:
    """A function from one row (a missing column counts as null) to its features: float32, shape (1, features)."""
    known: set[str] = set()
    steps: list[Step] = []
    for node in program.nodes:
        steps.append(_step(node, program.inputs, known))
        if not isinstance(node, OneHot):
            known.add(node_name(node))

    def run(row: Row) -> Matrix:
        results: dict[str, float] = {}
        features: list[float] = []
        for step in steps:
            step(row, results, features)
        return as_float32(np.array((features,)))

    return run


def _step(  # noqa: PLR0911 -- one line for each kind of node
    node: FeatureNode, types: Mapping[str, ColumnType], known: set[str]
) -> Step:
    match node:
        case Numeric():
            return _numeric(node, _reader(node.input, known))
        case Log1p():
            return _log1p(node_name(node), _reader(node.input, known))
        case Ratio():
            return _ratio(node, _reader(node.numerator, known), _reader(node.denominator, known))
        case Bin():
            return _bin(node, _reader(node.input, known))
        case Missing():
            return _missing(node)
        case OneHot():
            return _one_hot(node, types[node.input])
        case TimePart():
            return _time_part(node)


def _reader(name: str, known: set[str]) -> Reader:
    if name in known:
        return lambda _row, results: results[name]

    def read(row: Row, _results: dict[str, float]) -> float:
        value = row.get(name)
        return NAN if value is None else float(value)

    return read


def _numeric(node: Numeric, read: Reader) -> Step:
    name, (low, high) = node_name(node), bounds(node)
    impute = NAN if node.impute == "keep" else float(node.impute)

    def step(row: Row, results: dict[str, float], features: list[float]) -> None:
        value = read(row, results)
        if isnan(value):
            value = impute
        # In this order of arguments a NaN that is kept stays NaN.
        value = min(max(value, low), high)
        results[name] = value
        features.append(value)

    return step


def _log1p(name: str, read: Reader) -> Step:
    def step(row: Row, results: dict[str, float], features: list[float]) -> None:
        value = read(row, results)
        # NumPy's own, for one value too: its vectorised logarithm may differ from math.log1p in the last bit.
        value = float(np.log1p(max(value, 0.0)))
        results[name] = value
        features.append(value)

    return step


def _ratio(node: Ratio, read_numerator: Reader, read_denominator: Reader) -> Step:
    name, when_zero = node.name, node.when_zero

    def step(row: Row, results: dict[str, float], features: list[float]) -> None:
        above, below = read_numerator(row, results), read_denominator(row, results)
        value = when_zero if below == 0.0 or isnan(above) or isnan(below) else above / below
        results[name] = value
        features.append(value)

    return step


def _bin(node: Bin, read: Reader) -> Step:
    name, edges = node_name(node), list(node.edges)

    def step(row: Row, results: dict[str, float], features: list[float]) -> None:
        value = read(row, results)
        code = -1.0 if isnan(value) else float(bisect_right(edges, value))
        results[name] = code
        features.append(code)

    return step


def _missing(node: Missing) -> Step:
    name, column = node_name(node), node.input

    def step(row: Row, results: dict[str, float], features: list[float]) -> None:
        value = row.get(column)
        flag = 1.0 if value is None or (isinstance(value, float) and isnan(value)) else 0.0
        results[name] = flag
        features.append(flag)

    return step


def _one_hot(node: OneHot, kind: ColumnType) -> Step:
    column, depth = node.input, node.depth
    positions = {key: position for position, key in enumerate(level_keys(node.levels or (), kind))}
    other = len(positions)
    blank = [0.0] * (other + 1)

    def step(row: Row, _results: dict[str, float], features: list[float]) -> None:
        value = row.get(column)
        if depth is not None and value is not None:
            value = leading(str(value), depth)
        elif value is not None and kind != "string":
            value = float(value)  # As columns hold it, which know no integer beyond 2**53 by its last digit.
        hot = blank.copy()
        # The hash of 1, 1.0 and true is the same, so they find one level.
        hot[other if value is None else positions.get(value, other)] = 1.0
        features += hot

    return step


def _time_part(node: TimePart) -> Step:
    name, column = node_name(node), node.input

    def step(row: Row, results: dict[str, float], features: list[float]) -> None:
        value = time_part(node, micros(row.get(column)))
        results[name] = value
        features.append(value)

    return step
