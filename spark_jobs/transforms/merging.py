"""From versions to one row a key, the same whatever the order, the repetition or the batches in which they came.

A key's state is three structs, each led by what orders it: `first` (the version that counts for frozen columns), `last`
(for corrected ones) and `known` (the last label). Merging is minimum, maximum and maximum, which no order changes.
Where a source has changes, two more are positions: `counts_from`, the newest insert or delete, before which nothing
counts; and `newest_change`, of whatever change, broken ones too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from millrace.contract.source import Source
from millrace.domain.following import ChangePosition, Following
from spark_jobs.transforms.change_rows import BEGINS_OR_ENDS
from spark_jobs.transforms.envelope import DELETE

POSITION_TYPE = "struct<input_rank: int, epoch: string, major: bigint, path: string, minor: bigint>"


@dataclass(frozen=True)
class Layout:
    """Which of a source's columns freeze at the first version, follow the last, or are the label."""

    frozen: tuple[str, ...]
    corrected: tuple[str, ...]
    label: str | None
    append: bool
    following: Following | None = None
    """None: the source has no changes."""

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.frozen, *self.corrected, *([self.label] if self.label else []))


def layout(source: Source, label: str | None, following: Following | None = None) -> Layout:
    """The layout of a source; in an append source the whole first row stays, its label too."""
    append = source.mode == "append"
    # A time column of that name is the event time itself, which each silver row has anyway.
    names = [name for name in source.columns if name != "event_timestamp"]
    corrected = [n for n in names if source.columns[n].update == "correct" and n != label and not append]
    frozen = [n for n in names if n not in corrected and (append or n != label)]
    return Layout(tuple(frozen), tuple(corrected), None if append else label, append, following)


def states_of_versions(judged: DataFrame, of: Layout) -> DataFrame:
    """The state of each version alone: of a valid one all, of a broken change only that it came, and what it ended.

    Args:
        judged: Rows of bronze, see `bronze_rows.judged_rows`.
    """
    valid = F.size("reasons") == 0
    position, typed = F.col("position"), F.col("typed")
    # A version older than its own event cannot be what was known at the event, unless there is no other.
    early = F.lit(False) if of.append else F.col("known_at") < F.col("event_timestamp")
    first, last = _first(of, early, position, typed.getField, F.col("path")), _last(of, position, typed.getField)
    known, none = _known(of, position, typed.getField), F.lit(None).cast(POSITION_TYPE)
    if of.following is None:
        nothing = (none.alias("counts_from"), none.alias("newest_change"))
        return judged.where(valid).select("row_key", first, last, known, *nothing)
    says = valid & ~F.col("change").eqNullSafe(DELETE)
    of_a_change = _is_a_change(position)
    begins_or_ends = F.coalesce(F.col("change").isin(*BEGINS_OR_ENDS), F.lit(False))
    parts = {"first": first, "last": last, "known": known}
    return judged.where(F.col("row_key").isNotNull() & (says | of_a_change)).select(
        "row_key",
        *(F.when(says, part).alias(name) for name, part in parts.items()),
        F.when(begins_or_ends, position).otherwise(none).alias("counts_from"),
        F.when(of_a_change, position).otherwise(none).alias("newest_change"),
    )


def states_of_rows(rows: DataFrame, of: Layout) -> DataFrame:
    """The states that silver rows stand for: the inverse of `rows_of_states`."""
    first = _first(of, F.col("first_early"), F.col("first_position"), F.col, F.col("source_file"))
    last = _last(of, F.col("last_position"), F.col)
    return rows.select(
        "row_key",
        F.when(F.col("first_position").isNotNull(), first).alias("first"),
        F.when(F.col("last_position").isNotNull(), last).alias("last"),
        _known(of, F.col("label_position"), F.col),
        "counts_from",
        "newest_change",
    )


def merge_states(states: DataFrame, of: Layout) -> DataFrame:
    """One state a key."""
    # Structs are merged in the order of their keys: distributed first, they are sorted once and not twice.
    states = states.repartition("row_key")
    if of.following is not None:
        states = _that_count(states, of)
    newest = (F.max(name).alias(name) for name in ("last", "known", "counts_from", "newest_change"))
    return states.groupBy("row_key").agg(F.min("first").alias("first"), *newest)


def _that_count(states: DataFrame, of: Layout) -> DataFrame:
    """Without what was said before the key's newest insert or delete, or a TRUNCATE, and what a late file says of a key
    that changes tell of."""
    of_key = Window.partitionBy("row_key")
    newest = F.max("newest_change").over(of_key)
    known = {"_by_changes": newest.isNotNull(), "_from": _counts_from(of, F.max("counts_from").over(of_key), newest)}
    states = states.withColumns(known)
    counting = {}
    for name in ("first", "last", "known"):
        position = _in(name, "position")
        of_this_life = F.col("_from").isNull() | (position >= F.col("_from"))
        counting[name] = F.when(of_this_life & ~(F.col("_by_changes") & landed_late(of, position)), F.col(name))
    return states.withColumns(counting).drop(*known)


def rows_of_states(states: DataFrame, of: Layout) -> DataFrame:
    """row_key, event_timestamp, the columns in the layout's order, the positions, first_early, source_file, deleted.

    A tombstone has its key and positions, and no value.
    """
    if of.following is not None and of.following.ended is not None:
        gone = ended(of, F.col("newest_change"))
        states = states.withColumns({name: F.when(~gone, F.col(name)) for name in ("first", "last", "known")})
    label = [_in("known", "label").alias(of.label)] if of.label else []
    return states.select(
        "row_key",
        _in("first", "event_timestamp").alias("event_timestamp"),
        *(_in("first", f"frozen_{name}").alias(name) for name in of.frozen),
        *(_in("last", f"corrected_{name}").alias(name) for name in of.corrected),
        *label,
        _in("first", "position").alias("first_position"),
        _in("last", "position").alias("last_position"),
        _in("known", "position").alias("label_position"),
        "counts_from",
        "newest_change",
        _in("first", "early").alias("first_early"),
        _in("first", "source_file").alias("source_file"),
        F.col("last").isNull().alias("deleted"),
    )


def forgotten(rows: DataFrame, states: DataFrame, of: Layout) -> DataFrame:
    """The keys of which silver has forgotten what it would need to merge these states: only all versions tell.

    So it is where an insert, a delete or a TRUNCATE comes that is older than the row's last version, but not than its
    first; for the first change of a row that late files told of, which now do not count, and may have taken the place
    of others; and where a row comes again that had ended. The changes of one topic, read in its order, bring the second
    once a key, and the others never.

    Args:
        rows: Silver rows as they are.
        of: The layout of a source with changes.
    """
    told = states.groupBy("row_key").agg(
        F.max("counts_from").alias("_from"), F.max("newest_change").alias("_newest"), F.lit(True).alias("_came")
    )
    both = rows.join(told, "row_key", "left")
    newest = F.coalesce("_newest", "newest_change")
    begins = _counts_from(of, F.col("_from"), newest)
    between = (F.col("first_position") < begins) & (begins <= F.col("last_position"))
    told_by = ("first_position", "last_position", "label_position")
    late = reduce(or_, (landed_late(of, F.col(name)) for name in told_by))
    hidden = late & F.col("_newest").isNotNull() & F.col("_from").isNull()
    again = F.col("deleted") & ended(of, F.col("newest_change")) & F.col("_came")
    return both.where(between | hidden | again).select("row_key")


def ended(of: Layout, newest_change: Column) -> Column:
    """Whether a row came to its end without a change of its own; see `Following.ended`."""
    if of.following is None or of.following.ended is None:
        return F.lit(False)
    return F.coalesce(newest_change < _literal(of.following.ended), F.lit(False))


def outlived(of: Layout, rows: DataFrame) -> DataFrame:
    """Silver rows that are there, of which all or a part counts no more by what is known of the table as a whole."""
    gone = ended(of, F.col("newest_change"))
    if of.following is not None and of.following.truncated is not None:
        before = F.least("first_position", "label_position") < _literal(of.following.truncated)
        gone = gone | F.coalesce(before & F.col("newest_change").isNotNull(), F.lit(False))
    return rows.where(~F.col("deleted") & gone)


def landed_late(of: Layout, position: Column) -> Column:
    """Whether it is the position of a file that landed when the source's table was followed already."""
    if of.following is None:
        return F.lit(False)
    late = (position.getField("input_rank") == 0) & (position.getField("major") >= of.following.since_micros)
    return F.coalesce(late, F.lit(False))


def _counts_from(of: Layout, counts_from: Column, newest_change: Column) -> Column:
    """Before which position nothing counts of a key: its newest insert or delete, or a TRUNCATE of its table."""
    if of.following is None or of.following.truncated is None:
        return counts_from
    truncated = F.when(newest_change.isNotNull(), _literal(of.following.truncated))
    return F.when(counts_from.isNull() | (truncated > counts_from), truncated).otherwise(counts_from)


def _is_a_change(position: Column) -> Column:
    return position.getField("input_rank") == 1


def _literal(position: ChangePosition) -> Column:
    return F.struct(F.lit(1), *(F.lit(part) for part in position)).cast(POSITION_TYPE)


def _first(of: Layout, early: Column, position: Column, value: Callable[[str], Column], source_file: Column) -> Column:
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
