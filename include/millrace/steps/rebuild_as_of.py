"""Gold as it would have been at an earlier time, under a tag of its own. What readers of main see does not move."""

import uuid
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import LostRaceError, MillraceError, VerdictError
from millrace.contract.problem import Problem
from millrace.domain.batches import BronzeAt
from millrace.steps import recorded
from millrace.steps.batch_span import bronze_to_read
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.contract_in_force import is_changed, way_out
from millrace.steps.derived_tables import demand_columns
from millrace.steps.phase import phase
from millrace.steps.refused_batches import rejected_files
from spark_jobs.bronze_rows import judged_rows, read_rows
from spark_jobs.fenced_write import Target
from spark_jobs.followed import followed
from spark_jobs.silver import write_silver


def rebuild_as_of(spark: SparkSession, problem: Problem, at: datetime) -> dict[str, Any]:
    """Build gold from the rows that bronze knew at a time, by the contract in force, and tag it.

    Files that people rejected are left out, whenever they did. No check is run: nothing of it is published.

    Returns:
        table, tag, snapshot_id, rows.

    Raises:
        MillraceError: If bronze knew no row then, or the tables follow another contract than the problem file's.
    """
    gold, tag = names.gold(problem.problem), tag_of(problem, at)
    built = lake.head(gold, tag)
    if built is None:
        with phase(f"build {gold} as of {at:%Y-%m-%d %H:%M:%S}"):
            snapshot_id = _build(spark, problem, at, tag)
    else:
        snapshot_id = built.snapshot_id
    return {"table": gold, "tag": tag, "snapshot_id": snapshot_id, "rows": lake.count(gold, snapshot_id)}


def tag_of(problem: Problem, at: datetime) -> str:
    """The tag of gold as of a time, under the contract of the problem file."""
    return f"as_of_{at.astimezone(UTC):%Y%m%dT%H%M%SZ}_{problem.gold_hash()[:8]}"


def _build(spark: SparkSession, problem: Problem, at: datetime, tag: str) -> int:
    bronze = bronze_to_read(problem)
    silver, gold = names.silver(problem.source_name), names.gold(problem.problem)
    if bronze is None or lake.head(gold) is None:
        raise _nothing(problem, at, "no gold yet")
    demand_columns(problem)
    if is_changed(problem):
        raise VerdictError(
            "The tables follow another contract than the problem file's",
            place=f"problem {problem.problem}",
            found="a contract that is not applied, or not built yet",
            expected="tables of the contract of the problem file",
            fix=way_out(problem),
        )
    attempt = f"as-of-{uuid.uuid4().hex}"
    branches = [lake.cut_branch(silver, attempt)]
    try:
        _write_silver(spark, problem, at, branches[0], bronze)
        built = build_gold_data(spark, problem, {"branch": branches[0].name}, attempt=attempt, run_id=attempt)
        if built["branch"] is None:
            # Gold took in a number as high as this branch's meanwhile: what it holds is of today, not of then.
            raise LostRaceError(
                "A transform published while gold of the past was being built",
                place=f"table {gold}",
                found="gold that is as new as the rows to be built from",
                expected="no publication between the two",
                fix="do it again; nothing was tagged",
            )
        branches.append(lake.Branch(gold, built["branch"], built["base"]))
        lake.create_tag(gold, tag, built["snapshot_id"])
        return int(built["snapshot_id"])
    finally:
        for branch in branches:
            lake.drop_branch(branch)


def _write_silver(spark: SparkSession, problem: Problem, at: datetime, branch: lake.Branch, until: BronzeAt) -> None:
    seen = recorded.of_silver(problem, branch.name)
    rejected = rejected_files(problem)
    following = None
    if until.changes is not None:
        table = names.bronze_changes(problem.source_name)
        following = followed(spark, table, after=None, until=until.changes, ingested_by=at)
    read = read_rows(spark, problem, until=until, following=following, without=rejected, ingested_by=at)
    rows = judged_rows(read, problem)
    if rows.isEmpty():
        raise _nothing(problem, at, "no row")
    properties = {
        lake.BRANCH_PROPERTY: branch.name,
        **recorded.taken_in(until, following),
        recorded.CONTRACT_HASH: problem.contract_hash(),
        recorded.CHANGED_SEQ: str(seen.changed_seq + 1),
        recorded.REBUILT: "true",
    }
    target = Target(branch.table, branch.name, branch.base, properties)
    write_silver(
        spark,
        problem,
        rows,
        target,
        every_version=lambda: rows,
        quarantined=None,
        following=following,
        sequence=seen.changed_seq + 1,
        empty=False,
        rebuild=True,
    )


def _nothing(problem: Problem, at: datetime, found: str) -> MillraceError:
    return MillraceError(
        "There was nothing to build gold from",
        place=f"table {names.bronze_files(problem.source_name)}, {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        found=found,
        expected="rows that were ingested by then",
        fix="choose a later time; column ingested_at of bronze tells when each file came",
    )
