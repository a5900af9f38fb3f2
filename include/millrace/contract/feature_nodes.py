"""Row-level features as data: the nodes a user may write, each a function of one row.

A node's `input` is a column or the name of an earlier node. `millrace.domain.features` fits and runs them.
"""

from typing import Annotated, Literal

from pydantic import Field

from millrace.contract.model import Model
from millrace.contract.source import ColumnName


class Numeric(Model):
    """A number (true = 1, false = 0): a missing value is imputed, then the value is clipped to [min, max]."""

    kind: Literal["numeric"] = "numeric"
    input: ColumnName
    """A column, or the name of an earlier feature."""
    name: ColumnName | None = None
    """Default: the input's name."""
    impute: float | Literal["median", "keep"] = "median"
    """The number used for a missing value, or the training median, or keep (NaN: trees only)."""
    min: float | None = None
    """Smaller values become this."""
    max: float | None = None
    """Larger values become this."""


class Log1p(Model):
    """log(1 + max(value, 0)): tames a long right tail."""

    kind: Literal["log1p"] = "log1p"
    input: ColumnName
    """A column, or the name of an earlier feature."""
    name: ColumnName | None = None
    """Default: `<input>_log1p`."""


class Ratio(Model):
    """numerator / denominator; `when_zero` where the denominator is 0 or either side is missing."""

    kind: Literal["ratio"] = "ratio"
    numerator: ColumnName
    """A column, or the name of an earlier feature."""
    denominator: ColumnName
    """A column, or the name of an earlier feature."""
    name: ColumnName
    """Name of the feature."""
    when_zero: float = 0.0
    """The value where the denominator is 0 or either side is missing."""


class Bin(Model):
    """The number of edges at or below the value: an ordinal code from 0 to len(edges); -1 where it is missing."""

    kind: Literal["bin"] = "bin"
    input: ColumnName
    """A column, or the name of an earlier feature."""
    edges: tuple[float, ...] = Field(min_length=1)
    """Where one code ends and the next begins."""
    name: ColumnName | None = None
    """Default: `<input>_bin`."""


class Missing(Model):
    """1 where the value is missing, otherwise 0."""

    kind: Literal["missing"] = "missing"
    input: ColumnName
    """A column."""
    name: ColumnName | None = None
    """Default: `<input>_missing`."""


class OneHot(Model):
    """One 0/1 feature a level, and one for anything else (unknown or missing)."""

    kind: Literal["one_hot"] = "one_hot"
    input: ColumnName
    """A column."""
    depth: int | None = Field(default=None, ge=1, le=9)
    """How many leading parts of a dotted text count: 1 takes electronics from electronics.audio. Default: all."""
    levels: tuple[str, ...] | None = None
    """Default: the allowed values of the column, otherwise the 30 most frequent in training; others are unknown."""
    name: ColumnName | None = None
    """Default: the column's name; each level is then `<name>=<level>`."""


class TimePart(Model):
    """The hour (0 to 23) or the weekday (Monday is 0) of a time, in UTC; -1 where it is missing."""

    kind: Literal["time_part"] = "time_part"
    input: ColumnName
    """A timestamp column, the event time included; callers then send it."""
    part: Literal["hour", "weekday"]
    """What of the time counts."""
    name: ColumnName | None = None
    """Default: `<input>_<part>`."""


FeatureNode = Annotated[Numeric | Log1p | Ratio | Bin | Missing | OneHot | TimePart, Field(discriminator="kind")]


def node_inputs(node: FeatureNode) -> tuple[str, ...]:
    """The columns or earlier nodes that a node reads."""
    if isinstance(node, Ratio):
        return (node.numerator, node.denominator)
    return (node.input,)


def node_name(node: FeatureNode) -> str:
    """The name of a node's output; the default carries the kind, so that a column and its features differ."""
    if node.name is not None:
        return node.name
    (source,) = node_inputs(node)
    if isinstance(node, TimePart):
        return f"{source}_{node.part}"
    return source if isinstance(node, Numeric | OneHot) else f"{source}_{node.kind}"
