"""Rows in quarantine, judged once more by the same contract: those that a better reading finds valid go to silver."""

import json
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.steps import recorded
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.contract_in_force import demand_applied
from millrace.steps.derived_tables import demand_columns
from millrace.steps.phase import phase
from millrace.steps.refused_batches import rejected_files, waiting
from millrace.steps.written import dropped_on_failure, written_to
from spark_jobs.bronze_rows import judged_rows, not_of, read_rows, told_apart, valid
from spark_jobs.fenced_write import Target, delete, read_at
from spark_jobs.receipt import Receipt
from spark_jobs.silver import write_silver
from spark_jobs.transforms.envelope import DELETE


def replay_quarantine(spark: SparkSession, problem: Problem, *, attempt: str, run_id: str) -> dict[str, Any]:
    """Judge the quarantined rows of a source again; merge the valid ones into silver, and take them out of quarantine.

    Merged by position like any version, so a row that was corrected, or deleted, since it came stays so. Killed between
    the two publications, the next replay changes nothing in silver and clears the quarantine.

    Returns:
        judged and released (rows), snapshot_id of silver (None where no row was released).

    Raises:
        VerdictError: If silver follows another contract, if a refused batch waits, or if the check refuses the rows,
            which then stay in quarantine: a replay is no batch that anybody could accept.
        LostRaceError: If another attempt published first.
    """
    demand_applied(problem)
    silver, quarantine = names.silver(problem.source_name), names.quarantine(problem.source_name)
    if recorded.of_silver(problem).upstream is None or lake.head(quarantine) is None:
        return _told(judged=0)
    branch = lake.cut_branch(silver, attempt)
    with dropped_on_failure(branch):
        seen = recorded.of_silver(problem, branch.name)
        _demand_same_contract(problem, seen)
        _refuse_beside_a_batch(problem, seen)
        # After the branch was cut: whatever its rows are stale for was published to quarantine before.
        held = lake.head(quarantine)
        assert held is not None
        rows, read = _quarantined(spark, problem, held, seen)
        try:
            with phase(f"judge the quarantine of {problem.source_name}") as told:
                found = valid(judged_rows(read, problem))
                judged, released = read.count(), found.count()
                told |= {"rows": judged, "valid": released}
            if released == 0:
                lake.drop_branch(branch)
                return _told(judged=judged)
            mark = f"{held.snapshot_id} {told_apart(found)}"
            if _is_in_silver(branch, mark):
                lake.drop_branch(branch)
                snapshot_id = branch.base
            else:
                replay = _Replay(problem, found, released, mark, left=rows.join(found, "position", "left_anti"))
                snapshot_id = _to_silver(spark, replay, branch, seen, run_id=run_id)
            _release(spark, problem, found, attempt=attempt)
            return _told(judged=judged, released=released, snapshot_id=snapshot_id)
        finally:
            read.unpersist()


def _quarantined(
    spark: SparkSession, problem: Problem, held: lake.Head, seen: recorded.Recorded
) -> tuple[DataFrame, DataFrame]:
    """The rows of quarantine, and the rows of bronze that they were as far as silver has come, which are persisted."""
    rejected = rejected_files(problem)
    rows = read_at(spark, names.quarantine(problem.source_name), held.snapshot_id)
    rows = rows.where(f"contract_hash = '{problem.contract_hash()}'")
    rows = not_of(spark, rejected, rows, landed="position.major")
    assert seen.upstream is not None
    read = _bronze(spark, problem, seen)
    # What ended a row at the same position was no row to be judged.
    read = read.where(f"NOT change <=> '{DELETE}'")
    return rows, read.join(rows.select("position"), "position", "left_semi").persist()


def _bronze(spark: SparkSession, problem: Problem, seen: recorded.Recorded) -> DataFrame:
    """The rows of bronze as far as silver has come."""
    return read_rows(spark, problem, until=seen.bronze, following=seen.following, without=rejected_files(problem))


def _told(*, judged: int, released: int = 0, snapshot_id: int | None = None) -> dict[str, Any]:
    return {"judged": judged, "released": released, "snapshot_id": snapshot_id}


@dataclass(frozen=True)
class _Replay:
    """What a replay releases of the quarantine that it read, and what it leaves there."""

    problem: Problem
    found: DataFrame
    released: int
    mark: str
    left: DataFrame


def _is_in_silver(branch: lake.Branch, mark: str) -> bool:
    """Whether a replay of these very rows was published, and then ended before it released them."""
    for commit in lake.history(branch.table, branch.name):
        if recorded.REPLAYED in commit.properties:
            return commit.properties[recorded.REPLAYED] == mark
        if recorded.REBUILT in commit.properties:
            return False
    return False


def _to_silver(
    spark: SparkSession, replay: _Replay, branch: lake.Branch, seen: recorded.Recorded, *, run_id: str
) -> int:
    problem, sequence = replay.problem, seen.changed_seq + 1
    # They were counted when they came: as read, and as quarantined.
    moved = Receipt(0, replay.released, -replay.released, {}, 0, 0, []).as_json()
    properties = {
        lake.BRANCH_PROPERTY: branch.name,
        **recorded.taken_in(seen.bronze, seen.following),
        recorded.CONTRACT_HASH: problem.contract_hash(),
        recorded.REJECTED_FILES: seen.rejected_files,
        recorded.CHANGED_SEQ: str(sequence),
        recorded.RECEIPT: json.dumps(moved),
        recorded.REPLAYED: replay.mark,
    }
    write_silver(
        spark,
        problem,
        replay.found,
        Target(branch.table, branch.name, branch.base, properties),
        every_version=lambda: judged_rows(_bronze(spark, problem, seen), problem),
        quarantined=replay.left,
        following=seen.following,
        sequence=sequence,
        empty=recorded.is_empty(branch.table, branch.name),
        rebuild=False,
    )
    written = written_to(branch, run_id) | {"rebuilt": False, "receipt": moved, "over_limit": []}
    published = check_silver_data(spark, problem, written)
    return int(published["snapshot_id"])


def _release(spark: SparkSession, problem: Problem, found: DataFrame, *, attempt: str) -> None:
    branch = lake.cut_branch(names.quarantine(problem.source_name), attempt)
    with dropped_on_failure(branch):
        target = Target(branch.table, branch.name, branch.base, {lake.BRANCH_PROPERTY: branch.name})
        condition = f"t.position = s.position AND t.contract_hash = '{problem.contract_hash()}'"
        delete(spark, found.select("position"), target, condition)
    lake.publish(branch)


def _demand_same_contract(problem: Problem, seen: recorded.Recorded) -> None:
    demand_columns(problem)
    if seen.contract_hash != problem.contract_hash():
        raise VerdictError(
            "The contract is applied, and silver is not rebuilt by it yet",
            place=f"problem {problem.problem}",
            found=f"silver of contract {seen.contract_hash}",
            expected=f"contract {problem.contract_hash()}",
            fix="let transform run: it judges every row again, also those in quarantine",
        )


def _refuse_beside_a_batch(problem: Problem, seen: recorded.Recorded) -> None:
    batch = waiting(problem, "silver", seen) or waiting(problem, "gold", recorded.of_gold(problem))
    if batch is not None:
        raise VerdictError(
            "A refused batch waits to be decided, and a replay would come between",
            place=f"batch {batch.batch} of {problem.problem}",
            found=batch.why,
            expected="no batch that waits",
            fix=f"`millrace batches {problem.problem}` shows it; decide it, let transform run, then replay",
        )
