"""Keeping a table small: fewer and larger files, no snapshot that nobody needs, no file that belongs to none."""

from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from spark_jobs.fenced_write import Target, merge, read_at

FEWEST_FILES = 5
"""A partition of fewer small files is left as it is: rewriting it costs more than reading it so."""


def compact(spark: SparkSession, table: str, branch: str, *, deletes: int) -> int:
    """Write small files anew on a branch, fewer and larger; returns how many were replaced.

    The commit says nothing in its summary: what a later run goes on from has to be carried forward.

    Args:
        deletes: A file is written anew, too, when so many delete files are about its rows. Then these rows are gone
            from the files, and not only hidden.
    """
    chosen = {
        "min-input-files": FEWEST_FILES,
        "delete-file-threshold": deletes,
        "remove-dangling-deletes": "true",
    }
    options = ", ".join(f"'{key}', '{value}'" for key, value in chosen.items())
    done = spark.sql(
        f"CALL lake.system.rewrite_data_files(table => '{table}', branch => '{branch}', options => map({options}))"
    ).collect()
    return sum(row["rewritten_data_files_count"] + row["removed_delete_files_count"] for row in done)


def forget_quarantined(
    spark: SparkSession, target: Target, *, before: datetime, silver: str, silver_snapshot: int | None
) -> int:
    """Delete the rows that were quarantined before a time, but for those that say why a row of silver is stale.

    Returns:
        How many; nothing is committed where there is none.

    Args:
        silver_snapshot: The snapshot of silver to read; None: silver holds nothing.
    """
    old = read_at(spark, target.table, target.base).where(F.col("quarantined_at") < F.lit(before))
    if silver_snapshot is not None:
        stale = read_at(spark, silver, silver_snapshot).where("stale_since IS NOT NULL").select("row_key")
        old = old.join(stale, "row_key", "left_anti")
    rows = old.count()
    if rows:
        condition = "ON t.contract_hash = s.contract_hash AND t.position = s.position"
        merge(spark, old.select("position", "contract_hash"), target, f"{condition} WHEN MATCHED THEN DELETE")
    return rows


def expire(spark: SparkSession, table: str, snapshot_ids: Sequence[int]) -> None:
    """Remove these snapshots, and the files that no other snapshot needs. A ref that stands at one makes it fail."""
    ids = ", ".join(f"{one}L" for one in snapshot_ids)
    # A time long ago, so that none goes by its age: which may go is decided outside.
    long_ago = "TIMESTAMP '1970-01-02 00:00:00'"
    spark.sql(
        f"CALL lake.system.expire_snapshots(table => '{table}', older_than => {long_ago}, snapshot_ids => array({ids}))"
    ).collect()


def remove_orphans(spark: SparkSession, table: str, before: datetime) -> int:
    """Delete files under a table that no snapshot knows, written before a time; returns how many.

    The time must leave room for every attempt under way: what it writes belongs to no snapshot until it commits.
    """
    when = before.strftime("%Y-%m-%d %H:%M:%S")
    found = spark.sql(
        f"CALL lake.system.remove_orphan_files(table => '{table}', older_than => TIMESTAMP '{when}',"
        " prefix_listing => true)"
    ).collect()
    return len(found)
