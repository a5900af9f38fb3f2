"""Silver rows as gold tells them: without sensitive columns, with what earlier rows tell, the label 1, 0 or unknown."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.aggregations import EventLabel
from millrace.contract.problem import Problem
from spark_jobs.transforms.aggregation import aggregate, holds
from spark_jobs.transforms.event_label import add_event_label


def gold_values(problem: Problem) -> tuple[str, ...]:
    """The columns of gold that hold what a row says, besides its key and gold_seq."""
    return ("event_timestamp", *problem.gold_columns(), "label")


def gold_rows(silver: DataFrame, problem: Problem, sequence: int) -> DataFrame:
    """row_key, event_timestamp, the gold columns, label, gold_seq, and `deleted` for the writer.

    For problems that look at one row at a time.
    """
    return _told(silver.withColumn("label", _label(problem)), problem, sequence)


def gold_rows_across(
    rows: DataFrame, events: DataFrame, problem: Problem, sequence: int, *, now: int | None, few: bool
) -> DataFrame:
    """The same, for problems whose rows tell of other rows too.

    Args:
        rows: Silver rows that gold is to hold (see `predicted`).
        events: All of silver that is not deleted.
        now: `event_label.newest` of events.
        few: Whether rows are few beside events.
    """
    told = aggregate(rows, events, problem.aggregations, few=few)
    if isinstance(problem.label, EventLabel):
        told = add_event_label(told, events, problem.label, now=now, few=few)
    else:
        told = told.withColumn("label", _label(problem))
    return _told(told, problem, sequence)


def predicted(silver: DataFrame, problem: Problem) -> DataFrame:
    """The rows that gold holds."""
    return silver.where(~F.col("deleted") & holds(problem.rows))


def _told(rows: DataFrame, problem: Problem, sequence: int) -> DataFrame:
    numbered = F.lit(sequence).cast("bigint").alias("gold_seq")
    return rows.select("row_key", *gold_values(problem), numbered, "deleted")


def _label(problem: Problem) -> Column:
    assert not isinstance(problem.label, EventLabel)
    # Null stays null: equality with null is null.
    return (F.col(problem.label.column) == F.lit(problem.label.positive)).cast("int")
