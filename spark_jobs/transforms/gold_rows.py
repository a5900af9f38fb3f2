"""Silver rows as gold tells them: without sensitive columns, the label as 1, 0 or unknown."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from millrace.contract.problem import Problem


def gold_values(problem: Problem) -> tuple[str, ...]:
    """The columns of gold that hold what a row says, besides its key and gold_seq."""
    return ("event_timestamp", *problem.gold_columns(), "label")


def gold_rows(silver: DataFrame, problem: Problem, sequence: int) -> DataFrame:
    """row_key, event_timestamp, the gold columns, label, gold_seq, and `deleted` for the writer."""
    label = F.col(problem.label.column)
    # Null stays null: equality with null is null.
    positive = (label == F.lit(problem.label.positive)).cast("int")
    return silver.select(
        "row_key",
        "event_timestamp",
        *problem.gold_columns(),
        positive.alias("label"),
        F.lit(sequence).cast("bigint").alias("gold_seq"),
        "deleted",
    )
