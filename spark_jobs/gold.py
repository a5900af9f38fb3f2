"""Gold: what changed in silver since the last time, as a problem tells it."""

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from millrace.contract.problem import Problem
from spark_jobs.fenced_write import Target, append, is_few, merge_by_key, overwrite, read_at
from spark_jobs.transforms.event_label import newest
from spark_jobs.transforms.gold_rows import gold_rows, gold_rows_across, gold_values, predicted
from spark_jobs.transforms.touched_rows import touched_keys


@dataclass(frozen=True)
class Change:
    """What of silver gold is to take in.

    Attributes:
        silver: The table; `snapshot` is to be read, `before` is the one that gold holds.
        after: Rows with a `changed_seq` above this differ between the two snapshots.
    """

    silver: str
    snapshot: int
    before: int | None
    after: int


def write_gold(
    spark: SparkSession, problem: Problem, target: Target, change: Change, *, sequence: int, empty: bool, rebuild: bool
) -> None:
    """Write the rows that a change of silver touches; a row without another value keeps its gold_seq.

    Args:
        sequence: `gold_seq` of the rows that change.
        empty: Whether gold holds no row, so that there is nothing to merge with.
        rebuild: Whether the contract changed, so that every row is replaced.
    """
    # A time of the contract is UTC, whatever the server's zone is.
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    current = read_at(spark, change.silver, change.snapshot)
    if empty or rebuild:
        rows = _every_row(current, problem, sequence).drop("deleted")
        return append(rows, target) if empty else overwrite(rows, target)
    values = gold_values(problem)
    same = " AND ".join(f"t.`{name}` <=> s.`{name}`" for name in values)
    columns = ("row_key", *values, "gold_seq")
    assignments = ", ".join(f"t.`{name}` = s.`{name}`" for name in columns)
    inserted = ", ".join(f"`{name}`" for name in columns)
    clauses = f"""
        WHEN MATCHED AND s.deleted THEN DELETE
        WHEN MATCHED AND NOT ({same}) THEN UPDATE SET {assignments}
        WHEN NOT MATCHED AND NOT s.deleted THEN INSERT ({inserted}) VALUES ({", ".join(f"s.`{c}`" for c in columns)})
    """
    if not problem.looks_across():
        changed = _changed(current, change)
        rows = gold_rows(changed, problem, sequence)
        return merge_by_key(spark, rows, target, clauses, few=is_few(changed))
    rows, before = predicted(current, problem), _live(read_at(spark, change.silver, _known(change.before)))
    changed = _changed(current, change).select("row_key")
    now = newest(_live(current))
    # Each computed once, and its plan forgotten: nested into the next, plans outgrow the server's memory.
    keys = touched_keys(rows, problem, before=before, after=_live(current), changed=changed, now=now).localCheckpoint()
    rows = rows.join(keys, "row_key", "left_semi").localCheckpoint()
    told = gold_rows_across(rows, _live(current), problem, sequence, now=now, few=True)
    gone = keys.join(rows, "row_key", "left_anti").withColumn("deleted", F.lit(True))
    told = told.unionByName(gone, allowMissingColumns=True).localCheckpoint()
    return merge_by_key(spark, told, target, clauses, few=is_few(told))


def _every_row(current: DataFrame, problem: Problem, sequence: int) -> DataFrame:
    if not problem.looks_across():
        return gold_rows(current, problem, sequence).where("NOT deleted")
    events = _live(current)
    return gold_rows_across(predicted(current, problem), events, problem, sequence, now=newest(events), few=False)


def _changed(current: DataFrame, change: Change) -> DataFrame:
    return current.where(f"changed_seq > {change.after}")


def _live(silver: DataFrame) -> DataFrame:
    return silver.where("NOT deleted")


def _known(before: int | None) -> int:
    assert before is not None, "gold that holds rows has recorded what they came from"
    return before
