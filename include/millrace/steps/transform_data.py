"""Bronze to quarantine and silver: the new rows, judged by the contract and merged, on a branch that no one reads."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps import recorded
from millrace.steps.derived_tables import ensure_quarantine, ensure_silver
from millrace.steps.phase import phase
from millrace.steps.written import nothing_new
from spark_jobs.bronze_rows import judged_rows, read_rows
from spark_jobs.fenced_write import Target, read_at
from spark_jobs.quarantine import write_quarantine
from spark_jobs.receipt import Receipt, receipt
from spark_jobs.silver import write_silver


@dataclass(frozen=True)
class _Batch:
    """What one attempt takes in."""

    problem: Problem
    bronze_snapshot: int
    rows: DataFrame
    receipt: Receipt
    attempt: str
    run_id: str

    def properties(self, branch: lake.Branch, **more: str) -> dict[str, str]:
        return {
            lake.BRANCH_PROPERTY: branch.name,
            recorded.BRONZE_SNAPSHOT: str(self.bronze_snapshot),
            recorded.CONTRACT_HASH: self.problem.contract_hash(),
            **more,
        }


def transform_data(spark: SparkSession, problem: Problem, *, attempt: str, run_id: str) -> dict[str, Any]:
    """Take new bronze rows into quarantine, which is published, and into silver, on the attempt's branch.

    A contract of another hash judges every row of bronze again and replaces silver.

    Returns:
        table, branch and base (None where nothing is new), snapshot_id, changed (rows), run_id, rebuilt, receipt.

    Raises:
        LostRaceError: If another attempt published quarantine first.
    """
    bronze = lake.head(names.bronze_files(problem.source_name))
    silver = names.silver(problem.source_name)
    if bronze is None or _seen(silver).is_at(bronze.snapshot_id, problem.contract_hash()):
        return nothing_new(silver, run_id)
    ensure_silver(problem)
    ensure_quarantine(problem)
    branch = lake.cut_branch(silver, attempt)
    with _dropped_on_failure(branch):
        # What counts is what the branch's base says: main may have moved since the look above.
        seen = _seen(silver, branch.name)
        rebuild = recorded.must_rebuild(branch, seen, problem.contract_hash())
        after = None if rebuild else _still_there(names.bronze_files(problem.source_name), seen.upstream)
        read = read_rows(spark, problem, after=after, until=bronze.snapshot_id).persist()
        rows = judged_rows(read, problem)
        try:
            with phase(f"judge {problem.source_name}") as told:
                counts = receipt(rows)
                told |= {"rows": counts.rows_read, "quarantined": counts.rows_quarantined}
            if counts.rows_read == 0 and not rebuild:  # files that were set aside leave markers, and no row
                lake.drop_branch(branch)
                return nothing_new(silver, run_id)
            batch = _Batch(problem, bronze.snapshot_id, rows, counts, attempt, run_id)
            quarantined = _publish_quarantine(spark, batch)
            return _write_silver(spark, batch, branch, quarantined, sequence=seen.changed_seq + 1, rebuild=rebuild)
        finally:
            read.unpersist()


def _publish_quarantine(spark: SparkSession, batch: _Batch) -> DataFrame | None:
    """Publish the batch's broken rows, and return all of this contract's."""
    table, contract_hash = names.quarantine(batch.problem.source_name), batch.problem.contract_hash()
    with phase(f"write {table}") as told:
        branch = lake.cut_branch(table, batch.attempt)
        if _seen(table, branch.name).is_at(batch.bronze_snapshot, contract_hash):
            lake.drop_branch(branch)
            snapshot_id = branch.base
        else:
            with _dropped_on_failure(branch):
                target = Target(table, branch.name, branch.base, batch.properties(branch))
                nothing = batch.receipt.rows_quarantined == 0 or recorded.is_empty(table, branch.name)
                write_quarantine(
                    spark, batch.rows, target, contract_hash=contract_hash, run_id=batch.run_id, empty=nothing
                )
                snapshot_id = lake.publish(branch)
        told["snapshot"] = snapshot_id
    if recorded.is_empty(table, lake.MAIN):
        return None
    return read_at(spark, table, snapshot_id).where(f"contract_hash = '{contract_hash}'")


def _write_silver(
    spark: SparkSession,
    batch: _Batch,
    branch: lake.Branch,
    quarantined: DataFrame | None,
    *,
    sequence: int,
    rebuild: bool,
) -> dict[str, Any]:
    more = {recorded.CHANGED_SEQ: str(sequence), recorded.RECEIPT: json.dumps(batch.receipt.as_json())}
    target = Target(branch.table, branch.name, branch.base, batch.properties(branch, **more))
    empty = recorded.is_empty(branch.table, branch.name)
    with phase(f"write {branch.table}") as told:
        write_silver(
            spark,
            batch.problem,
            batch.rows,
            target,
            quarantined=quarantined,
            sequence=sequence,
            empty=empty,
            rebuild=rebuild,
        )
        head = lake.head(branch.table, branch.name)
        assert head is not None
        changed = int(head.properties.get("added-records", "0"))
        told["changed"] = changed
    return {
        "table": branch.table,
        "branch": branch.name,
        "base": branch.base,
        "snapshot_id": head.snapshot_id,
        "changed": changed,
        "rebuilt": rebuild,
        "receipt": batch.receipt.as_json(),
        "run_id": batch.run_id,
    }


def _seen(table: str, ref: str = lake.MAIN) -> recorded.Recorded:
    return recorded.recorded(table, recorded.BRONZE_SNAPSHOT, ref)


def _still_there(table: str, snapshot_id: int | None) -> int | None:
    """The snapshot, or None where it has expired: then every row is read again, which merging does not mind."""
    if snapshot_id is None or lake.catalog().load_table(table).snapshot_by_id(snapshot_id) is None:
        return None
    return snapshot_id


@contextmanager
def _dropped_on_failure(branch: lake.Branch) -> Iterator[None]:
    try:
        yield
    except Exception:
        lake.drop_branch(branch)
        raise
