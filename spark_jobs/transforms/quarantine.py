"""The constraints as Spark predicates: each row with all the reasons why it cannot pass."""

from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.constraints import (
    FIELD_COUNT,
    Constraint,
    CrossColumn,
    HasType,
    InRange,
    InSet,
    MatchesPattern,
    Required,
    reason,
    source_constraints,
)
from millrace.contract.source import Source
from spark_jobs.transforms.casting import whole

_COMPARISONS: dict[str, Callable[[Column, Column], Column]] = {
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "==": eq,
    "!=": ne,
}


def judge(rows: DataFrame, source: Source) -> DataFrame:
    """Add `reasons`: the codes of all broken constraints in the contract's order; empty for a valid row.

    Args:
        rows: Bronze rows with `given` and `typed` (see `casting.cast_rows`).
    """
    breaks = [(broken(constraint, source), reason(constraint)) for constraint in source_constraints(source)]
    codes = F.array_compact(F.array(*(F.when(is_broken, F.lit(code)) for is_broken, code in breaks)))
    # Spark interprets what filters an array, so of valid rows, which are most, it is not asked.
    any_broken = F.greatest(F.lit(False), F.lit(False), *(is_broken for is_broken, _ in breaks))
    none = F.array().cast("array<string>")
    malformed = F.array(F.lit(FIELD_COUNT))
    reasons = F.when(F.col("malformed").isNotNull(), malformed).when(any_broken, codes).otherwise(none)
    return rows.withColumn("reasons", reasons)


def broken(constraint: Constraint, source: Source) -> Column:
    """Whether a row breaks the constraint: true or false, never null."""
    return F.coalesce(_broken(constraint, source), F.lit(False))


def _broken(constraint: Constraint, source: Source) -> Column:
    if isinstance(constraint, CrossColumn):
        rule = constraint.rule
        return ~_COMPARISONS[rule.operator](_value(rule.left), _value(rule.right))
    name, value, given = constraint.column, _value(constraint.column), F.col("given").getField(constraint.column)
    match constraint:
        case HasType():
            return given & value.isNull()
        case Required():
            # Millrace assigns what such a file lacks; an empty value in a column that is there is still missing.
            lacking = name in source.optional_in_file()
            return ~given & (F.map_contains_key("fields", name) if lacking else F.lit(True))
        case InRange(min=low, max=high):
            below = value < F.lit(low) if low is not None else F.lit(False)
            return below | (value > F.lit(high)) if high is not None else below
        case InSet(allowed=allowed):
            return ~value.isin(*allowed)
        case MatchesPattern(pattern=pattern):
            return ~value.rlike(whole(pattern))


def _value(name: str) -> Column:
    return F.col("typed").getField(name)
