"""Rows in quarantine, judged once more by the same contract: those that a better reading finds valid go to silver."""

import json
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.domain.batches import Span
from millrace.steps import recorded
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.contract_in_force import demand_applied
from millrace.steps.phase import phase
from millrace.steps.refused_batches import rejected_files, waiting
from millrace.steps.written import written_to
from spark_jobs.bronze_rows import judged_rows, not_of, read_rows, valid
from spark_jobs.fenced_write import Target, delete, read_at
from spark_jobs.receipt import Receipt
from spark_jobs.silver import write_silver


def replay_quarantine(spark: SparkSession, problem: Problem, *, attempt: str, run_id: str) -> dict[str, Any]:
    """Judge the quarantined rows of a source again; merge the valid ones into silver, and take them out of quarantine.

    Merged by position like any version, so a row that was corrected, or deleted, since it came stays so. Killed between
    the two publications, a second replay changes nothing in silver and clears the quarantine.

    Returns:
        judged and released (rows), snapshot_id of silver (None where no row was released).

    Raises:
        VerdictError: If the contract changed, if a refused batch waits, or if the check refuses the rows.
        LostRaceError: If another attempt published first.
    """
    demand_applied(problem)
    silver, quarantine = names.silver(problem.source_name), names.quarantine(problem.source_name)
    held = lake.head(quarantine)
    seen = recorded.recorded(silver, recorded.BRONZE_SNAPSHOT)
    if held is None or seen.upstream is None:
        return {"judged": 0, "released": 0, "snapshot_id": None}
    _refuse_beside_a_batch(problem, seen)
    rejected = rejected_files(problem)
    rows = read_at(spark, quarantine, held.snapshot_id).where(f"contract_hash = '{problem.contract_hash()}'")
    rows = not_of(spark, rejected, rows, landed="position.major")
    read = read_rows(spark, problem, after=None, until=seen.upstream, without=rejected)
    read = read.join(rows.select("position"), "position", "left_semi").persist()
    try:
        with phase(f"judge the quarantine of {problem.source_name}") as told:
            found = valid(judged_rows(read, problem))
            judged, released = read.count(), found.count()
            told |= {"rows": judged, "valid": released}
        if released == 0:
            return {"judged": judged, "released": 0, "snapshot_id": None}
        left = rows.join(found.select("position"), "position", "left_anti")
        published = _to_silver(spark, problem, found, left, released, attempt=attempt, run_id=run_id)
        _release(spark, problem, found, attempt=attempt)
        return {"judged": judged, "released": released, "snapshot_id": published["snapshot_id"]}
    finally:
        read.unpersist()


def _to_silver(
    spark: SparkSession,
    problem: Problem,
    found: DataFrame,
    left: DataFrame,
    released: int,
    *,
    attempt: str,
    run_id: str,
) -> dict[str, Any]:
    branch = lake.cut_branch(names.silver(problem.source_name), attempt)
    try:
        seen = recorded.recorded(branch.table, recorded.BRONZE_SNAPSHOT, branch.name)
        assert seen.upstream is not None
        span = Span(seen.upstream, seen.upstream, seen.changed_seq + 1, False, seen.rejected_files)
        # They were counted when they came: as read, and as quarantined.
        moved = Receipt(0, released, -released, {}, 0, 0, [])
        properties = {
            lake.BRANCH_PROPERTY: branch.name,
            recorded.BRONZE_SNAPSHOT: str(seen.upstream),
            recorded.CONTRACT_HASH: problem.contract_hash(),
            recorded.REJECTED_FILES: seen.rejected_files,
            recorded.CHANGED_SEQ: str(span.sequence),
            recorded.RECEIPT: json.dumps(moved.as_json()),
        }
        write_silver(
            spark,
            problem,
            found,
            Target(branch.table, branch.name, branch.base, properties),
            quarantined=left,
            sequence=span.sequence,
            empty=recorded.is_empty(branch.table, branch.name),
            rebuild=False,
        )
        written = written_to(branch, run_id) | {"rebuilt": False, "receipt": moved.as_json(), "over_limit": []}
    except Exception:
        lake.drop_branch(branch)
        raise
    return check_silver_data(spark, problem, written | {"span": span.as_json()})


def _release(spark: SparkSession, problem: Problem, found: DataFrame, *, attempt: str) -> None:
    branch = lake.cut_branch(names.quarantine(problem.source_name), attempt)
    try:
        target = Target(branch.table, branch.name, branch.base, {lake.BRANCH_PROPERTY: branch.name})
        condition = f"t.position = s.position AND t.contract_hash = '{problem.contract_hash()}'"
        delete(spark, found.select("position"), target, condition)
    except Exception:
        lake.drop_branch(branch)
        raise
    lake.publish(branch)


def _refuse_beside_a_batch(problem: Problem, seen: recorded.Recorded) -> None:
    batch = waiting(problem, "silver", seen)
    if batch is not None:
        raise VerdictError(
            "A refused batch waits to be decided, and a replay would come between",
            place=f"batch {batch.batch} of {problem.problem}",
            found=batch.why,
            expected="no batch that waits",
            fix=f"`millrace batches {problem.problem}` shows it; decide it, let transform run, then replay",
        )
