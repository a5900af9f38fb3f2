"""Silver: the valid rows of a batch merged into one row a key, and what ended rows."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from millrace.contract.problem import Problem
from millrace.domain.following import Following
from spark_jobs.bronze_rows import valid
from spark_jobs.fenced_write import Target, append, is_few, merge_by_key, overwrite, read_at
from spark_jobs.transforms.merging import (
    ended,
    layout,
    merge_states,
    rows_of_states,
    states_of_rows,
    states_of_versions,
    too_little_known,
)
from spark_jobs.transforms.staleness import mark_changes, mark_stale


def write_silver(
    spark: SparkSession,
    problem: Problem,
    judged: DataFrame,
    target: Target,
    *,
    quarantined: DataFrame | None,
    following: tuple[Following | None, Following | None],
    sequence: int,
    empty: bool,
    rebuild: bool,
) -> bool:
    """Write what `judged` changes in silver.

    Args:
        judged: Rows of bronze, see `bronze_rows`; every row there is, when rebuilding.
        quarantined: The quarantine table under this contract, this batch included; None: it holds nothing.
        following: What the source's changes tell of its table: before this batch, and with it.
        sequence: `changed_seq` of the rows whose values change.
        empty: Whether silver holds no row, so that there is nothing to merge with.
        rebuild: Whether the contract changed, so that every row is replaced.

    Returns:
        False, and nothing is written, where what silver keeps of its rows is not enough to know what they are now, so
        that it is to be rebuilt. So it is when changes come before older ones; those of one topic do not.
    """
    before, now = following
    of = layout(problem.source, problem.label_column, now)
    states = states_of_versions(judged, of)
    if empty or rebuild:
        rows = mark_stale(rows_of_states(merge_states(states, of), of), quarantined)
        rows = rows.withColumn("changed_seq", F.lit(sequence))
        rows = rows.withColumn("contract_hash", F.lit(problem.contract_hash()))
        append(rows, target) if empty else overwrite(rows, target)
        return True

    everything = read_at(spark, target.table, target.base)
    # A broken version of a key changes nothing but what is known about the key's row.
    touched = judged.where("row_key IS NOT NULL").select("row_key")
    if now is not None and now.ended != (before.ended if before else None):
        # Rows end of which no message of the batch tells.
        over = everything.where(~F.col("deleted") & ended(of, F.col("last_position")))
        touched = touched.unionByName(over.select("row_key"))
    # Computed once: it takes a look at every row that is there.
    current = everything.join(touched, "row_key", "left_semi").localCheckpoint()
    if not too_little_known(current, states, of).isEmpty():
        return False
    merged = rows_of_states(merge_states(states.unionByName(states_of_rows(current, of)), of), of)
    changed = mark_changes(mark_stale(merged, quarantined), current, of.columns, sequence)
    changed = changed.withColumn("contract_hash", F.lit(problem.contract_hash()))
    clauses = "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    merge_by_key(spark, changed, target, clauses, few=is_few(touched))
    return True


def count_living(problem: Problem, judged: DataFrame, following: Following | None) -> int:
    """How many rows silver would hold that are not deleted, were it built of all of these."""
    of = layout(problem.source, problem.label_column, following)
    if following is None:
        return valid(judged).select("row_key").distinct().count()
    return rows_of_states(merge_states(states_of_versions(judged, of), of), of).where("NOT deleted").count()
