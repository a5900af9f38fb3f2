"""Step: keep one table of the lake small, without a reader noticing and without standing in a writer's way."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from millrace.adapters import lake, object_store
from millrace.adapters.deletion import deletion_allowed
from millrace.adapters.lake import upkeep
from millrace.contract import names
from millrace.contract.errors import LostRaceError
from millrace.contract.problem import Problem
from millrace.domain.retention import Aged, expirable
from millrace.steps.carry_forward import carry_forward, levels, levels_at
from millrace.steps.needed_snapshots import needed_snapshots
from millrace.steps.phase import phase
from spark_jobs import maintain
from spark_jobs.fenced_write import Target

log = logging.getLogger("millrace")

ORPHANS_AFTER = timedelta(days=3)
"""Age of a file that no snapshot knows before it counts as lost. An attempt under way has such files for an hour."""
DELETES_READ = 2
"""So many delete files about one data file, and it is written anew."""


def maintain_table(
    spark: SparkSession, problem: Problem, table: str, *, attempt: str, now: datetime | None = None
) -> dict[str, Any]:
    """Compact a table, let snapshots expire, remove lost files; of quarantine, also forget rows that are too old.

    A killed attempt leaves a branch that nobody reads, or files that the next one removes.

    Args:
        now: The time from which ages in days are counted; default: now.

    Returns:
        table, written (in words: what became of the compaction), forgotten (rows of quarantine), expired (snapshots),
        orphans (files); before and after, each: snapshots, files (data and delete files of main), objects, bytes.
    """
    now = now or datetime.now(UTC)
    before = _measured(table)
    written, forgotten = _rewrite(spark, problem, table, attempt, now)
    # The attempts that a backup must not meet are those that delete.
    with deletion_allowed():
        expired = _expire(spark, problem, table, now)
        with phase(f"remove lost files of {table}") as told:
            told["files"] = orphans = maintain.remove_orphans(spark, table, datetime.now(UTC) - ORPHANS_AFTER)
    return {
        "table": table,
        "written": written,
        "forgotten": forgotten,
        "expired": expired,
        "orphans": orphans,
        "before": before,
        "after": _measured(table),
    }


def _rewrite(spark: SparkSession, problem: Problem, table: str, attempt: str, now: datetime) -> tuple[str, int]:
    """Compact on a branch and publish it, unless another attempt writes: that one would lose its work."""
    if others := upkeep.writers(table):
        return f"left as it is, because {others[0]} is being written", 0
    branch = lake.cut_branch(table, attempt)
    try:
        with phase(f"compact {table}") as told:
            forgotten = _forget(spark, problem, branch, now)
            # What was forgotten must be gone from the files, too.
            deletes = 1 if _is_quarantine(problem, table) else DELETES_READ
            told["replaced"] = replaced = maintain.compact(spark, table, branch.name, deletes=deletes)
        if not replaced and not forgotten:
            lake.drop_branch(branch)
            return "nothing to compact", 0
        carry_forward(branch)
        if hindrance := _hindrance(branch):
            lake.drop_branch(branch)
            return hindrance, 0
        lake.publish(branch)
    except LostRaceError as error:
        log.info("%s", error)
        return "left as it is, because another attempt published first", 0
    except Exception:
        lake.drop_branch(branch)
        raise
    return f"{replaced} files replaced", forgotten


def _hindrance(branch: lake.Branch) -> str | None:
    """Why a compacted branch must not be published, in words."""
    if others := upkeep.writers(branch.table, besides=[branch.name]):
        return f"left as it is, because {others[0]} is being written"
    if upkeep.schema_at(branch.table, branch.name) != upkeep.schema_at(branch.table, lake.MAIN):
        # Its rows read null in a new column, and only the number of their schema tells.
        return "left as it is, because the contract changed its columns and its rows are to be built anew"
    return None


def _forget(spark: SparkSession, problem: Problem, branch: lake.Branch, now: datetime) -> int:
    if not _is_quarantine(problem, branch.table):
        return 0
    silver = names.silver(branch.table.split(".", 1)[1])
    head = lake.head(silver)
    properties = levels_at(branch.table, branch.name) | {lake.BRANCH_PROPERTY: branch.name}
    return maintain.forget_quarantined(
        spark,
        Target(branch.table, branch.name, branch.base, properties),
        before=now - timedelta(days=problem.retention.quarantine_days),
        silver=silver,
        silver_snapshot=head.snapshot_id if head else None,
    )


def _is_quarantine(problem: Problem, table: str) -> bool:
    return table in {names.quarantine(source) for source in problem.sources}


def _expire(spark: SparkSession, problem: Problem, table: str, now: datetime) -> int:
    # First what readers need: they only move on, so what they need later is younger.
    needed, found = needed_snapshots(problem, table), upkeep.kept(table)
    snapshots = [
        Aged(one.snapshot_id, one.parent_id, one.timestamp_ms, frozenset(levels(table, one.properties)))
        for one in found.snapshots
    ]
    before = now - _kept_for(problem, table)
    ids = expirable(
        snapshots,
        refs=found.refs.values(),
        main=found.main,
        needed=needed,
        before_ms=int(before.timestamp() * 1000),
    )
    with phase(f"expire snapshots of {table}") as told:
        told["snapshots"] = len(ids)
        if ids:
            maintain.expire(spark, table, ids)
    return len(ids)


def _kept_for(problem: Problem, table: str) -> timedelta:
    # Each look at a table reads the list of its snapshots, and each commit writes it.
    if table in {names.bronze_changes(source) for source in problem.sources}:
        return timedelta(hours=problem.retention.changes_hours)
    return timedelta(days=problem.retention.snapshots_days)


def _measured(table: str) -> dict[str, int]:
    head = lake.head(table)
    told = head.properties if head else {}
    objects = object_store.list_objects(*upkeep.folder(table))
    return {
        "snapshots": len(upkeep.kept(table).snapshots),
        "files": int(told.get("total-data-files", 0)) + int(told.get("total-delete-files", 0)),
        "objects": len(objects),
        "bytes": sum(one.size for one in objects),
    }
