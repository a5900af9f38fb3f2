"""From versions to one row a key, the same whatever the order, the repetition or the batches in which they came.

A key's state is three structs, each led by what orders it: `first` (the version that counts for frozen columns), `last`
(for corrected ones) and `known` (the last label). Merging is minimum, maximum and maximum, which no order changes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.source import Source


@dataclass(frozen=True)
class Layout:
    """Which of a source's columns freeze at the first version, follow the last, or are the label."""

    frozen: tuple[str, ...]
    corrected: tuple[str, ...]
    label: str | None
    append: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.frozen, *self.corrected, *([self.label] if self.label else []))


def layout(source: Source, label: str | None) -> Layout:
    """The layout of a source; in an append source the whole first row stays, its label too."""
    append = source.mode == "append"
    # A time column of that name is the event time itself, which each silver row has anyway.
    names = [name for name in source.columns if name != "event_timestamp"]
    corrected = [n for n in names if source.columns[n].update == "correct" and n != label and not append]
    frozen = [n for n in names if n not in corrected and (append or n != label)]
    return Layout(tuple(frozen), tuple(corrected), None if append else label, append)


def states_of_versions(versions: DataFrame, of: Layout) -> DataFrame:
    """The state of each version alone.

    Args:
        versions: row_key, event_timestamp, position, path, and the struct `typed`.
    """
    position, typed = F.col("position"), F.col("typed")
    first = _first(of, position, typed.getField, F.col("path"))
    return versions.select("row_key", first, _last(of, position, typed.getField), _known(of, position, typed.getField))


def states_of_rows(rows: DataFrame, of: Layout) -> DataFrame:
    """The states that silver rows stand for: the inverse of `rows_of_states`."""
    first = _first(of, F.col("first_position"), F.col, F.col("source_file"))
    return rows.select(
        "row_key", first, _last(of, F.col("last_position"), F.col), _known(of, F.col("label_position"), F.col)
    )


def merge_states(states: DataFrame) -> DataFrame:
    """One state a key."""
    # Structs are merged in the order of their keys: distributed first, they are sorted once and not twice.
    return (
        states.repartition("row_key")
        .groupBy("row_key")
        .agg(F.min("first").alias("first"), F.max("last").alias("last"), F.max("known").alias("known"))
    )


def rows_of_states(states: DataFrame, of: Layout) -> DataFrame:
    """row_key, event_timestamp, the columns in the layout's order, the three positions, source_file."""
    label = [F.col("known").getField("label").alias(of.label)] if of.label else []
    return states.select(
        "row_key",
        _in("first", "event_timestamp").alias("event_timestamp"),
        *(_in("first", f"frozen_{name}").alias(name) for name in of.frozen),
        *(_in("last", f"corrected_{name}").alias(name) for name in of.corrected),
        *label,
        _in("first", "position").alias("first_position"),
        _in("last", "position").alias("last_position"),
        _in("known", "position").alias("label_position"),
        _in("first", "source_file").alias("source_file"),
    )


def _first(of: Layout, position: Column, value: Callable[[str], Column], source_file: Column) -> Column:
    # A version older than its own event cannot be what was known at the event, unless there is no other.
    early = F.lit(False) if of.append else position.getField("major") < F.unix_micros("event_timestamp")
    frozen = (value(name).alias(f"frozen_{name}") for name in of.frozen)
    order = (early.alias("early"), position.alias("position"))
    parts = (F.col("event_timestamp"), source_file.alias("source_file"), *frozen)
    return F.struct(*order, *parts).alias("first")


def _last(of: Layout, position: Column, value: Callable[[str], Column]) -> Column:
    corrected = (value(name).alias(f"corrected_{name}") for name in of.corrected)
    return F.struct(position.alias("position"), *corrected).alias("last")


def _known(of: Layout, position: Column, value: Callable[[str], Column]) -> Column:
    """Null where the version knows no label, and so passed over by the maximum."""
    if of.label is None:
        return F.when(F.lit(False), F.struct(position.alias("position"))).alias("known")
    label = value(of.label)
    return F.when(label.isNotNull(), F.struct(position.alias("position"), label.alias("label"))).alias("known")


def _in(struct: str, field: str) -> Column:
    return F.col(struct).getField(field)
