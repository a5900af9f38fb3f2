"""Gold: what changed in silver since the last time, as a problem tells it."""

from pyspark.sql import SparkSession

from millrace.contract.problem import Problem
from spark_jobs.fenced_write import Target, append, merge, overwrite, read_at
from spark_jobs.transforms.gold_rows import gold_rows, gold_values


def write_gold(
    spark: SparkSession,
    problem: Problem,
    target: Target,
    *,
    silver: str,
    silver_snapshot: int,
    after: int,
    sequence: int,
    empty: bool,
    rebuild: bool,
) -> None:
    """Write the silver rows whose `changed_seq` is above `after`; a row without another value keeps its gold_seq.

    Args:
        silver_snapshot: The snapshot of silver to read.
        sequence: `gold_seq` of the rows that change.
        empty: Whether gold holds no row, so that there is nothing to merge with.
        rebuild: Whether the contract changed, so that every row is replaced.
    """
    current = read_at(spark, silver, silver_snapshot)
    if empty or rebuild:
        rows = gold_rows(current, problem, sequence).where("NOT deleted").drop("deleted")
        return append(rows, target) if empty else overwrite(rows, target)
    values = gold_values(problem)
    same = " AND ".join(f"t.`{name}` <=> s.`{name}`" for name in values)
    columns = ("row_key", *values, "gold_seq")
    assignments = ", ".join(f"t.`{name}` = s.`{name}`" for name in columns)
    inserted = ", ".join(f"`{name}`" for name in columns)
    clauses = f"""
        ON t.row_key = s.row_key
        WHEN MATCHED AND s.deleted THEN DELETE
        WHEN MATCHED AND NOT ({same}) THEN UPDATE SET {assignments}
        WHEN NOT MATCHED AND NOT s.deleted THEN INSERT ({inserted}) VALUES ({", ".join(f"s.`{c}`" for c in columns)})
    """
    changed = gold_rows(current.where(f"changed_seq > {after}"), problem, sequence)
    return merge(spark, changed, target, clauses)
