"""Silver to gold: what changed, on the attempt's branch."""

import json
from typing import Any

from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.steps import recorded
from millrace.steps.derived_tables import ensure_gold
from millrace.steps.lineage import gold_receipt
from millrace.steps.phase import phase
from millrace.steps.written import nothing_new
from spark_jobs.fenced_write import Target
from spark_jobs.gold import write_gold


def build_gold_data(spark: SparkSession, problem: Problem, *, attempt: str, run_id: str) -> dict[str, Any]:
    """Write to gold, on the attempt's branch, what silver's main holds and gold does not.

    Returns:
        table, branch and base (None where nothing is new), snapshot_id, changed (rows), run_id, rebuilt, gold_seq.

    Raises:
        MillraceError: If silver was written under another contract.
    """
    silver, gold = names.silver(problem.source_name), names.gold(problem.problem)
    contract_hash = problem.contract_hash()
    head, upstream = lake.head(silver), recorded.recorded(silver, recorded.BRONZE_SNAPSHOT)
    if head is None or upstream.upstream is None or _seen(gold).is_at(head.snapshot_id, contract_hash):
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
    try:
        written = _write(spark, problem, branch, silver_snapshot=head.snapshot_id, changed_seq=upstream.changed_seq)
        return {**written, "run_id": run_id}
    except Exception:
        lake.drop_branch(branch)
        raise


def _write(
    spark: SparkSession, problem: Problem, branch: lake.Branch, *, silver_snapshot: int, changed_seq: int
) -> dict[str, Any]:
    seen = _seen(branch.table, branch.name)
    sequence = seen.gold_seq + 1
    rebuild = recorded.must_rebuild(branch, seen, problem.contract_hash())
    receipt = gold_receipt(problem, silver_snapshot, None if rebuild else seen.upstream)
    properties = {
        lake.BRANCH_PROPERTY: branch.name,
        recorded.SILVER_SNAPSHOT: str(silver_snapshot),
        recorded.CHANGED_SEQ: str(changed_seq),
        recorded.GOLD_SEQ: str(sequence),
        recorded.CONTRACT_HASH: problem.contract_hash(),
        recorded.RECEIPT: json.dumps(receipt),
    }
    with phase(f"write {branch.table}") as told:
        write_gold(
            spark,
            problem,
            Target(branch.table, branch.name, branch.base, properties),
            silver=names.silver(problem.source_name),
            silver_snapshot=silver_snapshot,
            after=seen.changed_seq,
            sequence=sequence,
            empty=recorded.is_empty(branch.table, branch.name),
            rebuild=rebuild,
        )
        head = lake.head(branch.table, branch.name)
        assert head is not None
        removed = int(head.properties.get("spark.merge-into.num-target-rows-deleted", 0))
        changed = int(head.properties.get("added-records", 0)) + removed
        told["changed"] = changed
    return {
        "table": branch.table,
        "branch": branch.name,
        "base": branch.base,
        "snapshot_id": head.snapshot_id,
        "changed": changed,
        "rebuilt": rebuild,
        "gold_seq": sequence,
    }


def _seen(table: str, ref: str = lake.MAIN) -> recorded.Recorded:
    return recorded.recorded(table, recorded.SILVER_SNAPSHOT, ref)
