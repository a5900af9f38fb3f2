"""Numbers that earlier events tell of a row: point in time, exact, and linear in the number of events.

Spark's own sliding frames look at every event of the window again for each row, which is quadratic on a hot key. Here
each event adds to a running sum when it comes, and takes away again when the window has passed it; a row reads the sum
of all that came strictly before its own time. So an event at s counts for rows in (s, s + window], and events of one
time do not see each other. Sums are of whole numbers and decimals, so what is taken away is exactly what was added.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import groupby

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from millrace.contract.aggregations import Aggregation, Where

MICROS = 1_000_000
EXACT = "decimal(28,6)"
"""Values that are added up, to a millionth; their sums have ten digits more."""

# Names of our own begin with "_", which no column of a contract does.
_AT, _ROW = "_at", "_row"


def aggregate(
    rows: DataFrame,
    events: DataFrame,
    aggregations: Sequence[Aggregation],
    *,
    few: bool = False,
    mirrored: bool = False,
) -> DataFrame:
    """Add a column for each aggregation to rows.

    Args:
        rows: `row_key`, `event_timestamp` and the columns of the keys.
        events: `event_timestamp` and every column that the aggregations read.
        few: Whether rows are few, so that it pays to look first which events share a key with any of them.
        mirrored: Whether time runs backwards: then events count that come after a row, (t, t + window].
    """
    at = -F.unix_micros("event_timestamp") if mirrored else F.unix_micros("event_timestamp")
    asking, telling = rows.withColumn(_AT, at), events.withColumn(_AT, at)
    found = []
    for key, members in groupby(sorted(aggregations, key=lambda one: one.key), key=lambda one: one.key):
        sharing = telling.join(rows.select(*key).distinct(), [*key], "left_semi") if few else telling
        found.append(_of_one_key(asking, sharing, key, list(members)))
    if not found:
        return rows
    # One join, not one a key: a row has each column once, and null under the other keys.
    told = union(found).groupBy("row_key").agg(*(F.max(one.name).alias(one.name) for one in aggregations))
    return rows.join(told, "row_key", "left")


def union(frames: Sequence[DataFrame]) -> DataFrame:
    """All rows; what a frame lacks is null. Halved, as a chain is a plan too deep to be sent to the server."""
    if len(frames) == 1:
        return frames[0]
    middle = len(frames) // 2
    return union(frames[:middle]).unionByName(union(frames[middle:]), allowMissingColumns=True)


def holds(where: Where | None) -> Column:
    """Whether an event is of a kind: true or false, never null."""
    if where is None:
        return F.lit(True)
    return F.coalesce(F.col(where.column).isin(*where.any_of), F.lit(False))


def _of_one_key(rows: DataFrame, events: DataFrame, key: tuple[str, ...], members: list[Aggregation]) -> DataFrame:
    """`row_key` and the members' columns, of the rows that have a key."""
    keyed = " AND ".join(f"`{name}` IS NOT NULL" for name in key)
    asking = rows.where(keyed).select(*key, _AT, F.col("row_key").alias(_ROW))
    telling = events.where(keyed)
    changes = [*_of_simple(telling, key, members), *_of_distinct(telling, key, members)]
    # Rows and changes differ in their columns: what one lacks is null, and adds nothing.
    stream = union([asking, *changes])
    before = Window.partitionBy(*key).orderBy(_AT).rangeBetween(Window.unboundedPreceding, -1)
    sums = [name for one in members for name in _sums(one)]
    latest = [_last(one) for one in members if one.function == "seconds_since_last"]
    running = [F.coalesce(F.sum(name).over(before), F.lit(0)).alias(name) for name in sums]
    running += [F.max(name).over(before).alias(name) for name in latest]
    seen = stream.select(_AT, _ROW, *running).where(F.col(_ROW).isNotNull())
    return seen.select(F.col(_ROW).alias("row_key"), *(_value(one).alias(one.name) for one in members))


def _of_simple(events: DataFrame, key: tuple[str, ...], members: Iterable[Aggregation]) -> Iterator[DataFrame]:
    """What events change when they come, and when the windows have passed them."""
    members = [one for one in members if one.function != "distinct"]
    if not members:
        return
    counts = {one.name: _counts(one) for one in members}
    telling = events.where(reduce(lambda one, other: one | other, counts.values()))
    coming = [change for one in members for change in _coming(one, counts[one.name])]
    yield telling.select(*key, _AT, *coming)
    summing = [one for one in members if one.function != "seconds_since_last"]
    for seconds in sorted({one.window_seconds for one in summing if one.window_seconds is not None}):
        of_window = [one for one in summing if one.window_seconds == seconds]
        leaving = telling.where(reduce(lambda one, other: one | other, (counts[one.name] for one in of_window)))
        changes = [change for one in of_window for change in _leaving(one, counts[one.name])]
        yield leaving.select(*key, (F.col(_AT) + seconds * MICROS).alias(_AT), *changes)


def _of_distinct(events: DataFrame, key: tuple[str, ...], members: Iterable[Aggregation]) -> Iterator[DataFrame]:
    """A value counts from each of its events until the next one of the same value, or until the window has passed."""
    for one in members:
        if one.function != "distinct" or one.column is None:
            continue
        told = events.where(_counts(one)).select(*key, F.col(one.column).alias("_value"), _AT).distinct()
        if one.window_seconds is None:
            first = told.groupBy(*key, "_value").agg(F.min(_AT).alias(_AT))
            yield first.select(*key, _AT, F.lit(1).alias(_count(one)))
            continue
        following = F.lead(_AT).over(Window.partitionBy(*key, "_value").orderBy(_AT))
        passed = F.col(_AT) + one.window_seconds * MICROS
        until = told.withColumn("_until", F.least(passed, F.coalesce(following, passed)))
        yield until.select(*key, _AT, F.lit(1).alias(_count(one)))
        yield until.select(*key, F.col("_until").alias(_AT), F.lit(-1).alias(_count(one)))


def _counts(one: Aggregation) -> Column:
    """Whether an event counts."""
    kind = holds(one.where)
    return kind if one.column is None else kind & F.col(one.column).isNotNull()


def _coming(one: Aggregation, counts: Column) -> Iterator[Column]:
    if one.function == "seconds_since_last":
        yield F.when(counts, F.col(_AT)).alias(_last(one))
        return
    yield F.when(counts, F.lit(1)).alias(_count(one))
    if one.column is not None:
        yield F.when(counts, F.col(one.column).cast(EXACT)).alias(_sum(one))


def _leaving(one: Aggregation, counts: Column) -> Iterator[Column]:
    yield F.when(counts, F.lit(-1)).alias(_count(one))
    if one.column is not None:
        yield F.when(counts, -F.col(one.column).cast(EXACT)).alias(_sum(one))


def _value(one: Aggregation) -> Column:
    match one.function:
        case "count" | "distinct":
            return F.col(_count(one)).cast("bigint")
        case "sum":
            return F.col(_sum(one)).cast("double")
        case "mean":
            return F.when(F.col(_count(one)) > 0, F.col(_sum(one)).cast("double") / F.col(_count(one)))
        case "seconds_since_last":
            apart = F.col(_AT) - F.col(_last(one))
            apart = apart if one.window_seconds is None else F.when(apart <= one.window_seconds * MICROS, apart)
            return apart.cast("double") / MICROS


def _sums(one: Aggregation) -> Iterator[str]:
    if one.function == "seconds_since_last":
        return
    yield _count(one)
    if one.function in ("sum", "mean"):
        yield _sum(one)


def _count(one: Aggregation) -> str:
    return f"_count_{one.name}"


def _sum(one: Aggregation) -> str:
    return f"_sum_{one.name}"


def _last(one: Aggregation) -> str:
    return f"_last_{one.name}"
