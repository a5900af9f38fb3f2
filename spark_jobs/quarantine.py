"""The rows of a batch that broke their contract, each once for each contract, with all their reasons."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.bronze_rows import broken
from spark_jobs.fenced_write import Target, append, merge


def write_quarantine(
    spark: SparkSession, judged: DataFrame, target: Target, *, contract_hash: str, run_id: str, empty: bool
) -> None:
    """Write the broken rows of `judged` that quarantine does not hold yet.

    Args:
        empty: Whether the table holds no row, so that there is nothing to merge with.
    """
    rows = broken(judged).select(
        "position",
        "path",
        "row_number",
        "row_key",
        "reasons",
        "fields",
        "raw",
        F.lit(contract_hash).alias("contract_hash"),
        F.current_timestamp().alias("quarantined_at"),
        F.lit(run_id).alias("run_id"),
        "known_at",
    )
    if empty:
        append(rows, target)
    else:
        condition = "ON t.contract_hash = s.contract_hash AND t.position = s.position"
        merge(spark, rows, target, f"{condition} WHEN NOT MATCHED THEN INSERT *")
