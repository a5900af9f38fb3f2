"""Silver: the valid rows of a batch merged into one row a key, and what ended rows."""

from collections.abc import Callable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from millrace.contract.problem import Problem
from millrace.domain.following import Following
from spark_jobs.bronze_rows import valid
from spark_jobs.fenced_write import Target, append, is_few, merge_by_key, overwrite, read_at
from spark_jobs.transforms.merging import (
    Layout,
    forgotten,
    layout,
    merge_states,
    outlived,
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
    every_version: Callable[[], DataFrame],
    quarantined: DataFrame | None,
    following: Following | None,
    sequence: int,
    empty: bool,
    rebuild: bool,
) -> None:
    """Write what `judged` changes in silver.

    Args:
        judged: Rows of bronze, see `bronze_rows`; every row there is, when rebuilding.
        every_version: Every row there is of bronze, judged; asked for where silver does not keep what it would need.
        quarantined: The quarantine table under this contract, this batch included; None: it holds nothing.
        following: What the source's changes tell of its table as a whole, this batch included.
        sequence: `changed_seq` of the rows whose values change.
        empty: Whether silver holds no row, so that there is nothing to merge with.
        rebuild: Whether the contract changed, so that every row is replaced.
    """
    of = layout(problem.source, problem.label_column, following)
    states = states_of_versions(judged, of)
    if empty or rebuild:
        rows = mark_stale(rows_of_states(merge_states(states, of), of), quarantined)
        rows = rows.withColumn("changed_seq", F.lit(sequence))
        rows = rows.withColumn("contract_hash", F.lit(problem.contract_hash()))
        return append(rows, target) if empty else overwrite(rows, target)

    everything = read_at(spark, target.table, target.base)
    # A broken version of a key changes nothing but what is known about the key's row.
    touched = judged.where("row_key IS NOT NULL").select("row_key")
    if following is not None:
        touched = touched.unionByName(outlived(of, everything).select("row_key"))
    # Computed once: it takes a look at every row that is there.
    current = everything.join(touched, "row_key", "left_semi").localCheckpoint()
    states = states.unionByName(_states_of_silver(current, states, of, every_version))
    merged = rows_of_states(merge_states(states, of), of)
    changed = mark_changes(mark_stale(merged, quarantined), current, of.columns, sequence)
    changed = changed.withColumn("contract_hash", F.lit(problem.contract_hash()))
    clauses = "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    return merge_by_key(spark, changed, target, clauses, few=is_few(touched))


def _states_of_silver(
    current: DataFrame, states: DataFrame, of: Layout, every_version: Callable[[], DataFrame]
) -> DataFrame:
    """The states of the rows that are there; of those that silver cannot tell any more, of all their versions."""
    if of.following is None:
        return states_of_rows(current, of)
    keys = forgotten(current, states, of).localCheckpoint()
    if keys.isEmpty():
        return states_of_rows(current, of)
    # Computed at once: within the plan of the merge, Spark takes minutes to think about how rows are read and judged.
    again = every_version().join(keys, "row_key", "left_semi").localCheckpoint()
    return states_of_rows(current.join(keys, "row_key", "left_anti"), of).unionByName(states_of_versions(again, of))


def count_living(problem: Problem, judged: DataFrame, following: Following | None) -> int:
    """How many rows silver would hold that are not deleted, were it built of all of these."""
    of = layout(problem.source, problem.label_column, following)
    if following is None:
        return valid(judged).select("row_key").distinct().count()
    return rows_of_states(merge_states(states_of_versions(judged, of), of), of).where("NOT deleted").count()
