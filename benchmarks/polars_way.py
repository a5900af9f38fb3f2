"""Polars doing the work of our stages in one process, for scale: no branches, no checks between, no history."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from millrace.contract.aggregations import Aggregation, EventLabel, Where
from millrace.contract.constraints import (
    RAW_PATTERNS,
    Constraint,
    CrossColumn,
    HasType,
    InRange,
    InSet,
    MatchesPattern,
    Required,
    source_constraints,
)
from millrace.contract.label import Label
from millrace.contract.problem import Problem
from millrace.contract.source import ColumnType

TYPES: dict[ColumnType, pl.DataType] = {"integer": pl.Int64(), "number": pl.Float64()}
FOR_EVER = f"{4_000 * 86_400_000_000}i"
"""Longer than any events are apart, in microseconds."""


def refine(problem: Problem, bronze: str, silver: str, folder: Path) -> tuple[int, int]:
    """Bronze and silver as Parquet → quarantine and the silver after it. Of a key the first new row stays.

    Returns:
        Rows of silver, rows of quarantine.
    """
    source = problem.source
    text = {name: pl.col("fields").map.get(name) for name in source.columns}
    raw = [pl.when(~value.is_in(source.null_values)).then(value).alias(f"raw_{name}") for name, value in text.items()]
    typed = [_typed(name, column.type) for name, column in source.columns.items()]
    judged = pl.scan_parquet(bronze).select("last_modified", "path", "row_number", *raw).with_columns(typed)
    reasons = [_broken(each).fill_null(value=False) for each in source_constraints(source)]
    broken = pl.any_horizontal(reasons)
    key, kept = list(source.primary_key), list(source.columns)
    first = ["last_modified", "path", "row_number"]
    valid = judged.filter(~broken).sort(first).select(kept).unique(key, keep="first", maintain_order=True)
    quarantine, new = pl.collect_all([judged.filter(broken), valid], engine="streaming")
    quarantine.write_parquet(folder / "quarantine.parquet")
    old = pl.scan_parquet(silver).select(kept).join(new.lazy().select(key), on=key, how="anti")
    after = folder / "silver.parquet"
    pl.concat([new.lazy(), old], how="vertical_relaxed").sink_parquet(after, engine="streaming")
    return _rows(after), len(quarantine)


def build_gold(problem: Problem, silver: str, folder: Path) -> int:
    """Silver as Parquet → gold of a problem that looks at one row at a time; its rows."""
    assert isinstance(problem.label, Label)
    label = (pl.col(problem.label.column) == problem.label.positive).cast(pl.Int32).alias("label")
    inputs = [*problem.source.primary_key, *problem.gold_columns()]
    gold = folder / "gold.parquet"
    pl.scan_parquet(silver).select(*inputs, label).sink_parquet(gold, engine="streaming")
    return _rows(gold)


def aggregate(problem: Problem, silver: str, folder: Path) -> tuple[int, dict[str, float]]:
    """Silver of events as Parquet → gold, by rolling sums over each key.

    Returns:
        Rows of gold; and the sum of each column that other rows tell, to compare with.
    """
    assert isinstance(problem.label, EventLabel)
    assert problem.rows
    at = pl.col("event_timestamp").to_physical().alias("at")
    plain = [name for name in problem.gold_columns() if name in problem.source.columns]
    read = {"row_key", "event_timestamp", *plain, *(n for one in problem.aggregations for n in one.key)}
    events = pl.scan_parquet(silver).select(*sorted(read), at).sort("at").collect(engine="streaming")
    for one in problem.aggregations:
        events = events.with_columns(_told(one).alias(one.name))
    within = problem.label.within_seconds * 1_000_000
    events = events.with_columns((-pl.col("at")).alias("back")).sort("back")
    later = _holds(problem.label.event).cast(pl.Int64).rolling_sum_by("back", f"{within}i", closed="left")
    told = pl.col("at") < pl.col("at").max() - within
    label = pl.when(told & _there(problem.label.same)).then((later.over(problem.label.same) > 0).cast(pl.Int32))
    gold = events.with_columns(label.alias("label")).filter(_holds(problem.rows))
    names = [*(one.name for one in problem.aggregations), "label"]
    gold.select("row_key", "event_timestamp", *plain, *names).write_parquet(folder / "gold.parquet")
    return len(gold), {name: float(gold[name].sum()) for name in names}


def _told(one: Aggregation) -> pl.Expr:
    window = FOR_EVER if one.window_seconds is None else f"{one.window_seconds * 1_000_000}i"
    counts = _holds(one.where)
    if one.function == "seconds_since_last":
        last = pl.when(counts).then(pl.col("at")).rolling_max_by("at", window, closed="left")
        value = (pl.col("at") - last.over(one.key)) / 1_000_000
    elif one.function == "mean":
        value = pl.when(counts).then(pl.col(str(one.column))).rolling_mean_by("at", window, closed="left").over(one.key)
    elif one.function == "distinct":
        assert one.window is None, "each value counts from its first event on"
        first = pl.struct(*one.key, str(one.column)).is_first_distinct().cast(pl.Int64)
        value = first.rolling_sum_by("at", window, closed="left").over(one.key).fill_null(0)
    else:
        assert one.function == "count"
        value = counts.cast(pl.Int64).rolling_sum_by("at", window, closed="left").over(one.key).fill_null(0)
    return pl.when(_there(one.key)).then(value)


def _holds(where: Where | None) -> pl.Expr:
    return pl.col("at").is_not_null() if where is None else pl.col(where.column).is_in(where.any_of)


def _there(key: Iterable[str]) -> pl.Expr:
    return pl.all_horizontal(*(pl.col(name).is_not_null() for name in key))


def _typed(name: str, kind: ColumnType) -> pl.Expr:
    raw = pl.col(f"raw_{name}")
    if kind == "timestamp":
        return raw.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_zone="UTC", time_unit="us").alias(name)
    return raw.cast(TYPES.get(kind, pl.String()), strict=False).alias(name)


def _broken(constraint: Constraint) -> pl.Expr:
    """Whether the constraint is broken; null where there is no value to judge."""
    assert not isinstance(constraint, CrossColumn)
    value, raw = pl.col(constraint.column), pl.col(f"raw_{constraint.column}")
    match constraint:
        case HasType(_, kind):
            pattern = RAW_PATTERNS.get(kind, "").replace("(?!0000)", "")
            return ~raw.str.contains(rf"\A(?:{pattern})\z") if pattern else pl.lit(False)
        case Required():
            return raw.is_null()
        case InRange(_, low, high):
            return (value < (low if low is not None else -float("inf"))) | (value > (high or float("inf")))
        case InSet(_, allowed):
            return ~value.is_in(allowed)
        case MatchesPattern(_, pattern):
            return ~raw.str.contains(rf"\A(?:{pattern})\z")


def _rows(file: Path) -> int:
    return int(pl.scan_parquet(file).select(pl.len()).collect().item())
