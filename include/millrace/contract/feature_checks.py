"""Whether declared features fit the columns of their problem."""

from collections.abc import Mapping, Sequence

from millrace.contract.feature_nodes import FeatureNode, Missing, Numeric, OneHot, TimePart, node_inputs, node_name
from millrace.contract.source import Column


def check_features(
    features: Sequence[FeatureNode],
    inputs: Mapping[str, Column],
    columns: Mapping[str, Column],
    times: Mapping[str, Column],
) -> None:
    """Raises ValueError, its place first, for the first feature that could not be computed.

    Args:
        inputs: What the model may learn from.
        columns: Every column of the source.
        times: The timestamps that `time_part` may read.
    """
    taken: set[str] = set()
    for position, node in enumerate(features):
        place = f"features.{position}"
        for name in node_inputs(node):
            if isinstance(node, TimePart):
                _check_time(place, name, times)
            elif name not in inputs and name not in taken:
                raise ValueError(_unreadable(place, name, columns))
        if isinstance(node, OneHot | Missing) and node.input not in inputs:
            raise ValueError(f"{place} ({node.kind}) must read a column, not the feature {node.input}")
        if node_name(node) in taken:
            raise ValueError(f"{place}: the name {node_name(node)} is taken")
        if isinstance(node, Numeric) and node.input in inputs and inputs[node.input].type == "string":
            raise ValueError(f"{place}: {node.input} is a string; use one_hot")
        if isinstance(node, OneHot) and node.depth is not None and inputs[node.input].type != "string":
            raise ValueError(f"{place}.depth parts a dotted text, and {node.input} is no string")
        taken.add(node_name(node))


def _check_time(place: str, name: str, times: Mapping[str, Column]) -> None:
    if name not in times:
        raise ValueError(f"{place} reads {name}, which is no timestamp that gold has and callers may send")


def _unreadable(place: str, name: str, columns: Mapping[str, Column]) -> str:
    if name in columns and columns[name].type == "timestamp":
        return (
            f"{place} reads {name}: a timestamp is no input; take its hour or weekday (time_part), or bring what"
            " matters of it, such as an age in days, as a number"
        )
    return f"{place} reads {name}, which is neither an input column nor an earlier feature"
