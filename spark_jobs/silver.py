"""Silver: the valid rows of a batch merged into one row a key."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from millrace.contract.problem import Problem
from spark_jobs.bronze_rows import valid
from spark_jobs.fenced_write import Target, append, is_few, merge_by_key, overwrite, read_at
from spark_jobs.transforms.merging import (
    layout,
    merge_states,
    rows_of_states,
    states_of_rows,
    states_of_versions,
)
from spark_jobs.transforms.staleness import mark_changes, mark_stale


def write_silver(
    spark: SparkSession,
    problem: Problem,
    judged: DataFrame,
    target: Target,
    *,
    quarantined: DataFrame | None,
    sequence: int,
    empty: bool,
    rebuild: bool,
) -> None:
    """Write what `judged` changes in silver.

    Args:
        judged: Rows of bronze, see `bronze_rows`; every row there is, when rebuilding.
        quarantined: The quarantine table under this contract, this batch included; None: it holds nothing.
        sequence: `changed_seq` of the rows whose values change.
        empty: Whether silver holds no row, so that there is nothing to merge with.
        rebuild: Whether the contract changed, so that every row is replaced.
    """
    of, versions = layout(problem.source, problem.label_column), valid(judged)
    states = states_of_versions(versions, of)
    if empty or rebuild:
        rows = mark_stale(rows_of_states(merge_states(states), of), quarantined)
        rows = rows.withColumns({"changed_seq": F.lit(sequence), "deleted": F.lit(False)})
        rows = rows.withColumn("contract_hash", F.lit(problem.contract_hash()))
        return append(rows, target) if empty else overwrite(rows, target)

    # A broken version of a key changes nothing but what is known about the key's row.
    touched = judged.where("row_key IS NOT NULL").select("row_key")
    # Computed once: it takes a look at every row that is there.
    current = read_at(spark, target.table, target.base).join(touched, "row_key", "left_semi").localCheckpoint()
    merged = rows_of_states(merge_states(states.unionByName(states_of_rows(current, of))), of)
    changed = mark_changes(mark_stale(merged, quarantined), current, of.columns, sequence)
    changed = changed.withColumn("contract_hash", F.lit(problem.contract_hash()))
    clauses = "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    return merge_by_key(spark, changed, target, clauses, few=is_few(judged))
