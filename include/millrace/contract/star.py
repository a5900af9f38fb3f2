"""The star schema that the warehouse makes of a source: one fact table, and a dimension for each thing it speaks of."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from millrace.contract import names
from millrace.contract.model import Model
from millrace.contract.source import Column, ColumnName, ColumnType, Identifier, Source

KEY_TYPES: tuple[ColumnType, ...] = ("string", "integer", "boolean")
"""What can identify a member of a dimension."""


class Dimension(Model):
    """A thing that rows speak of, such as a product: one member for each value of the key."""

    key: tuple[ColumnName, ...] = Field(min_length=1)
    """The columns that identify a member. A row that lacks one of them speaks of the unknown member, number 0."""
    columns: dict[ColumnName, Literal["correct", "history"]] = Field(default={})
    """What rows tell of a member. correct: the last known value holds for all time; history: a version for each change,
    valid from the event time of the row that told it. A missing value tells nothing: the last known one stays."""

    @property
    def corrected(self) -> tuple[str, ...]:
        """The columns of which the last known value holds."""
        return tuple(name for name, update in self.columns.items() if update == "correct")

    @property
    def history(self) -> tuple[str, ...]:
        """The columns whose changes make versions."""
        return tuple(name for name, update in self.columns.items() if update == "history")


class Fact(Model):
    """What happened: one row for each row of silver, which points at the dimensions."""

    name: Identifier
    """The table is called `fact_<name>`."""
    measures: tuple[ColumnName, ...] = ()
    """What is summed and averaged: columns of type integer or number."""
    attributes: tuple[ColumnName, ...] = ()
    """What else a fact says of itself, such as its kind or its session."""


class Star(Model):
    """Tables for people who ask questions of the rows. They follow silver; no model reads them."""

    fact: Fact
    """The fact table."""
    dimensions: dict[Identifier, Dimension] = Field(min_length=1)
    """Dimensions by name; the table is called `dim_<name>`. `date` comes by itself, from the event time."""

    def columns(self) -> tuple[str, ...]:
        """Every column of the source that the star reads, each once, in the order of the section."""
        dimensions = (name for dimension in self.dimensions.values() for name in (*dimension.key, *dimension.columns))
        return tuple(dict.fromkeys((*dimensions, *self.fact.measures, *self.fact.attributes)))


def star_tables(star: Star) -> tuple[str, ...]:
    """The tables of the schema `warehouse` that are this star's alone; `dim_date` is every star's."""
    return names.fact_table(star.fact.name), *map(names.dimension_table, star.dimensions)


def surrogate(dimension: str) -> str:
    """The column that numbers a dimension's members, or their versions; facts point at it."""
    return f"{dimension}_key"


def check_star(star: Star, source: Source) -> None:
    """Check what only the source can tell.

    Raises:
        ValueError: That begins with the key path that is wrong.
    """
    if "date" in star.dimensions:
        raise ValueError("warehouse.dimensions.date comes by itself, from the event time; choose another name")
    for place, name in _named(star):
        if name not in source.columns:
            raise ValueError(f"{place} names {name}, which is not a column of the source")
        if source.columns[name].sensitive:
            raise ValueError(f"{place} names {name}, which is sensitive and so never reaches the warehouse")
    for dimension, of in star.dimensions.items():
        _check_dimension(f"warehouse.dimensions.{dimension}", of, source.columns)
    _check_fact(star, source.columns)


def _named(star: Star) -> Iterator[tuple[str, str]]:
    for dimension, of in star.dimensions.items():
        yield from ((f"warehouse.dimensions.{dimension}.key", name) for name in of.key)
        yield from ((f"warehouse.dimensions.{dimension}.columns.{name}", name) for name in of.columns)
    yield from (("warehouse.fact.measures", name) for name in star.fact.measures)
    yield from (("warehouse.fact.attributes", name) for name in star.fact.attributes)


def _check_dimension(place: str, dimension: Dimension, columns: Mapping[str, Column]) -> None:
    for name in dimension.key:
        if (kind := columns[name].type) not in KEY_TYPES:
            raise ValueError(f"{place}.key names {name}, a {kind}; a key is {' or '.join(KEY_TYPES)}")
        if name in dimension.columns:
            raise ValueError(f"{place}.columns.{name} is the key already")
    taken = {surrogate(place.rpartition(".")[2]), "event_timestamp", "valid_from", "valid_to", "is_current"}
    _refuse_taken(f"{place}.columns", (*dimension.key, *dimension.columns), taken)
    if len(set(dimension.key)) != len(dimension.key):
        raise ValueError(f"{place}.key lists a column twice")


def _check_fact(star: Star, columns: Mapping[str, Column]) -> None:
    for name in star.fact.measures:
        if (kind := columns[name].type) not in ("integer", "number"):
            raise ValueError(f"warehouse.fact.measures names {name}, a {kind}; a measure is integer or number")
    told = (*star.fact.measures, *star.fact.attributes)
    if twice := [name for name in told if told.count(name) > 1]:
        raise ValueError(f"warehouse.fact names {twice[0]} twice; a column is a measure or an attribute")
    taken = {"event_timestamp", "date_key", *map(surrogate, star.dimensions)}
    _refuse_taken("warehouse.fact", told, taken)


def _refuse_taken(place: str, named: tuple[str, ...], taken: set[str]) -> None:
    if clash := [name for name in named if name.lower() in taken]:
        raise ValueError(
            f"{place} names {clash[0]}, which the table has already; give the column another name and say"
            f" `header: {clash[0]}`"
        )
