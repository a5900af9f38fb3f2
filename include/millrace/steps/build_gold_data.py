"""Silver to gold: what changed, on the attempt's branch."""

import json
from typing import Any

from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.domain.batches import Span
from millrace.steps import recorded
from millrace.steps.derived_tables import ensure_gold
from millrace.steps.lineage import bronze_of_gold, gold_receipt, silver_commits
from millrace.steps.phase import phase
from millrace.steps.refused_batches import waiting
from millrace.steps.written import dropped_on_failure, nothing_new, written_to
from spark_jobs.fenced_write import Target
from spark_jobs.gold import Change, write_gold


def build_gold_data(
    spark: SparkSession, problem: Problem, checked: dict[str, Any] | None = None, *, attempt: str, run_id: str
) -> dict[str, Any]:
    """Write to gold, on the attempt's branch, what silver holds and gold does not.

    A batch that gold refused and a person accepted is taken in by itself: what silver took in since waits for a run of
    its own.

    Args:
        checked: What `check_silver_data` told: of a rebuilt silver, the branch that is published together with gold.

    Returns:
        table, branch and base (None where nothing is new), snapshot_id, changed (rows), run_id, rebuilt, gold_seq,
        span.

    Raises:
        MillraceError: If silver was written under another contract.
    """
    silver, gold = names.silver(problem.source_name), names.gold(problem.problem)
    contract_hash = problem.contract_hash()
    ref = (checked or {}).get("branch") or lake.MAIN
    accepted = _accepted(problem, ref)
    head = accepted or lake.head(silver, ref)
    commit = accepted or lake.newest_with(silver, recorded.BRONZE_SNAPSHOT, ref)
    upstream = recorded.told_by(commit, recorded.BRONZE_SNAPSHOT)
    if (
        head is None
        or upstream.upstream is None
        or _is_settled(recorded.of_gold(problem), problem, head.snapshot_id, upstream)
    ):
        return nothing_new(gold, run_id)
    if upstream.contract_hash != contract_hash:
        raise MillraceError(
            "Silver was written under another contract",
            place=f"table {silver}, snapshot {head.snapshot_id}",
            found=f"contract {upstream.contract_hash}",
            expected=f"contract {contract_hash}",
            fix="start the transform DAG from its beginning: transform_data rebuilds silver",
        )
    ensure_gold(problem)
    branch = lake.cut_branch(gold, attempt)
    with dropped_on_failure(branch):
        return _write(spark, problem, branch, ref=ref, silver_snapshot=head.snapshot_id, silver=upstream, run_id=run_id)


def _accepted(problem: Problem, ref: str) -> lake.Head | None:
    """The state of silver that a person let into gold, though its check refused it: that one, and none after it."""
    batch = waiting(problem, "gold", recorded.of_gold(problem))
    if batch is None or not batch.stands_alone:
        return None
    for commit in lake.history(names.silver(problem.source_name), ref):
        if recorded.told_by(commit, recorded.BRONZE_SNAPSHOT).bronze == batch.span.up_to:
            return commit
        if recorded.REBUILT in commit.properties:
            return None
    return None


def _is_settled(seen: recorded.Recorded, problem: Problem, silver_snapshot: int, silver: recorded.Recorded) -> bool:
    # Silver moves without a change of a row, too: compacted, or past files that were rejected.
    same_rows = seen.changed_seq == silver.changed_seq or seen.upstream == silver_snapshot
    waiting = silver.contract_hash != problem.contract_hash()
    return same_rows and (waiting or seen.contract_hash in (None, problem.gold_hash()))


def _write(
    spark: SparkSession,
    problem: Problem,
    branch: lake.Branch,
    *,
    ref: str,
    silver_snapshot: int,
    silver: recorded.Recorded,
    run_id: str,
) -> dict[str, Any]:
    seen = recorded.of_gold(problem, branch.name)
    sequence = seen.gold_seq + 1
    commits = silver_commits(problem, silver_snapshot, seen.upstream, ref=ref)
    rebuild = recorded.must_rebuild(branch, seen, problem.gold_hash())
    rebuild |= seen.upstream is not None and any(recorded.REBUILT in commit for commit in commits)
    # What changed rows were before tells which others they touched; where that is forgotten, any may be.
    rebuild |= problem.looks_across() and not _is_there(problem, seen.upstream)
    if rebuild:
        commits = silver_commits(problem, silver_snapshot, None, ref=ref)
    receipt = gold_receipt(silver_snapshot, commits)
    before = bronze_of_gold(problem, branch.name)
    span = Span(
        before.files,
        silver.upstream or 0,
        sequence,
        rebuild,
        silver.rejected_files,
        changes_after=before.changes,
        changes_until=silver.changes,
    )
    properties = {
        lake.BRANCH_PROPERTY: branch.name,
        recorded.SILVER_SNAPSHOT: str(silver_snapshot),
        recorded.CHANGED_SEQ: str(silver.changed_seq),
        recorded.GOLD_SEQ: str(sequence),
        recorded.CONTRACT_HASH: problem.gold_hash(),
        recorded.RECEIPT: json.dumps(receipt),
        recorded.RUN_ID: run_id,
    }
    with phase(f"write {branch.table}") as told:
        write_gold(
            spark,
            problem,
            Target(branch.table, branch.name, branch.base, properties),
            Change(names.silver(problem.source_name), silver_snapshot, seen.upstream, seen.changed_seq),
            sequence=sequence,
            empty=recorded.is_empty(branch.table, branch.name),
            rebuild=rebuild,
        )
        written = written_to(branch, run_id)
        told["changed"] = written["changed"]
    return {**written, "rebuilt": rebuild, "gold_seq": sequence, "span": span.as_json()}


def _is_there(problem: Problem, silver_snapshot: int | None) -> bool:
    table = lake.catalog().load_table(names.silver(problem.source_name))
    return silver_snapshot is None or table.snapshot_by_id(silver_snapshot) is not None
