"""Bronze to quarantine and silver: the new rows, judged by the contract and merged, on a branch that no one reads."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.batches import BronzeAt, Landing, Span, over_limit
from millrace.domain.following import Following, together
from millrace.steps import recorded
from millrace.steps.batch_span import bronze_to_read, is_gold_first, is_settled, next_span, was_just_refused
from millrace.steps.changes_table import OFFSETS
from millrace.steps.contract_in_force import demand_applied
from millrace.steps.derived_tables import ensure_quarantine, ensure_silver
from millrace.steps.phase import phase
from millrace.steps.refused_batches import rejected_files
from millrace.steps.written import dropped_on_failure, nothing_new, written_to
from spark_jobs.bronze_rows import judged_rows, kept, not_of, read_rows
from spark_jobs.fenced_write import Target, read_at
from spark_jobs.followed import followed
from spark_jobs.quarantine import write_quarantine
from spark_jobs.receipt import Receipt, receipt
from spark_jobs.silver import write_silver

OVER_LIMIT_TOLD = 1_000
"""Files above the limit that the check, and so whoever decides, is told of; more show when these are decided."""


@dataclass(frozen=True)
class _Batch:
    """What one attempt takes in. `rejected`: files that people rejected, whose rows are not among `rows`."""

    problem: Problem
    span: Span
    rejected: frozenset[Landing]
    following: Following | None
    """What the changes tell of the table as a whole, up to the end of the span."""
    rows: DataFrame
    every_version: Callable[[], DataFrame]
    receipt: Receipt
    attempt: str
    run_id: str

    def properties(self, branch: lake.Branch, **more: str) -> dict[str, str]:
        return {
            lake.BRANCH_PROPERTY: branch.name,
            **recorded.taken_in(self.span.up_to, self.following),
            recorded.CONTRACT_HASH: self.problem.contract_hash(),
            recorded.REJECTED_FILES: self.span.rejected,
            **more,
        }


def transform_data(spark: SparkSession, problem: Problem, *, attempt: str, run_id: str) -> dict[str, Any]:
    """Take new bronze rows into quarantine, which is published, and into silver, on the attempt's branch.

    A contract of another hash, once it is applied, judges every row of bronze again and replaces silver; so does the
    rejection of a file that silver had taken in. A batch that was refused for its files is judged again by itself: what
    has landed since waits for its decision. While one waits, gold first takes in what silver holds already.

    Returns:
        table, branch and base (None where nothing is new), snapshot_id, changed (rows), run_id, rebuilt, receipt, span,
        over_limit (path, time, rows and quarantined rows of each file above the limit).

    Raises:
        VerdictError: If the contract changed and is not applied.
        LostRaceError: If another attempt published quarantine first.
    """
    bronze = bronze_to_read(problem)
    silver = names.silver(problem.source_name)
    if bronze is None:
        return nothing_new(silver, run_id)
    demand_applied(problem)
    seen = recorded.of_silver(problem)
    waits = is_gold_first(problem, seen) or was_just_refused(problem, seen, bronze)
    if waits or is_settled(problem, seen, bronze):
        return nothing_new(silver, run_id)
    ensure_silver(problem)
    ensure_quarantine(problem)
    branch = lake.cut_branch(silver, attempt)
    with dropped_on_failure(branch):
        # What counts is what the branch's base says: main may have moved since the look above.
        seen = recorded.of_silver(problem, branch.name)
        rejected = rejected_files(problem)
        span = next_span(problem, branch, seen, rejected, bronze)
        following = _following(spark, problem, span, seen)

        def read(after: BronzeAt | None) -> DataFrame:
            rows = read_rows(spark, problem, after=after, until=span.up_to, following=following, without=rejected)
            return judged_rows(rows, problem)

        with kept(read(span.taken_in), problem) as rows:
            with phase(f"judge {problem.source_name}") as told:
                counts = receipt(rows)
                told |= {"rows": counts.rows_read, "quarantined": counts.rows_quarantined}
            every_version = partial(read, None)
            batch = _Batch(problem, span, rejected, following, rows, every_version, counts, attempt, run_id)
            # Files that were set aside, or rejected, bring no row; nor do the tombstones of a topic.
            if counts.rows_read == 0 and not span.rebuild and following == seen.following:
                if rejected or span.changes_until != seen.changes:
                    _pass_over(batch, branch, changed_seq=seen.changed_seq)
                else:
                    lake.drop_branch(branch)
                return nothing_new(branch.table, run_id)
            quarantined = _publish_quarantine(spark, batch)
            return _write_silver(spark, batch, branch, quarantined)


def _following(spark: SparkSession, problem: Problem, span: Span, seen: recorded.Recorded) -> Following | None:
    before = None if span.changes_after is None else seen.following
    if span.changes_until in (None, span.changes_after):
        return before
    assert span.changes_until is not None
    table = names.bronze_changes(problem.source_name)
    return together([before, followed(spark, table, after=span.changes_after, until=span.changes_until)])


def _pass_over(batch: _Batch, branch: lake.Branch, *, changed_seq: int) -> None:
    """Publish that silver has seen a span without a row for it. There is nothing to check."""
    lake.append_nothing(branch, batch.properties(branch, **{recorded.CHANGED_SEQ: str(changed_seq)}))
    lake.publish(branch)


def _publish_quarantine(spark: SparkSession, batch: _Batch) -> DataFrame | None:
    """Publish the batch's broken rows, and return all of this contract's."""
    table, contract_hash = names.quarantine(batch.problem.source_name), batch.problem.contract_hash()
    with phase(f"write {table}") as told:
        branch = lake.cut_branch(table, batch.attempt)
        seen = recorded.recorded(table, recorded.BRONZE_SNAPSHOT, branch.name)
        if seen.holds(batch.span.up_to, contract_hash):
            lake.drop_branch(branch)
            snapshot_id = branch.base
        else:
            with dropped_on_failure(branch):
                target = Target(table, branch.name, branch.base, batch.properties(branch))
                nothing = batch.receipt.rows_quarantined == 0 or recorded.is_empty(table, branch.name)
                write_quarantine(
                    spark, batch.rows, target, contract_hash=contract_hash, run_id=batch.run_id, empty=nothing
                )
                snapshot_id = lake.publish(branch)
        told["snapshot"] = snapshot_id
    if recorded.is_empty(table, lake.MAIN):
        return None
    all_of_it = read_at(spark, table, snapshot_id).where(f"contract_hash = '{contract_hash}'")
    return not_of(spark, batch.rejected, all_of_it, landed="position.major")


def _write_silver(
    spark: SparkSession, batch: _Batch, branch: lake.Branch, quarantined: DataFrame | None
) -> dict[str, Any]:
    span = batch.span
    told_receipt = batch.receipt.as_json() | _offsets(batch)
    more = {recorded.CHANGED_SEQ: str(span.sequence), recorded.RECEIPT: json.dumps(told_receipt)}
    more |= {recorded.REBUILT: "true"} if span.rebuild else {}
    target = Target(branch.table, branch.name, branch.base, batch.properties(branch, **more))
    empty = recorded.is_empty(branch.table, branch.name)
    with phase(f"write {branch.table}") as told:
        write_silver(
            spark,
            batch.problem,
            batch.rows,
            target,
            every_version=batch.every_version,
            quarantined=quarantined,
            following=batch.following,
            sequence=span.sequence,
            empty=empty,
            rebuild=span.rebuild,
        )
        written = written_to(branch, batch.run_id)
        told["changed"] = written["changed"]
    return {
        **written,
        "rebuilt": span.rebuild,
        "receipt": told_receipt,
        "span": span.as_json(),
        "over_limit": _over_limit(batch),
    }


def _offsets(batch: _Batch) -> dict[str, Any]:
    """Before which offsets of its topic the batch takes in everything, where there is a topic."""
    if batch.span.changes_until is None:
        return {}
    head = lake.snapshot(names.bronze_changes(batch.problem.source_name), batch.span.changes_until)
    return {"offsets": json.loads(head.properties[OFFSETS])} if head and OFFSETS in head.properties else {}


def _over_limit(batch: _Batch) -> list[list[str | int]]:
    over = over_limit(batch.receipt.by_file, batch.problem.source.quality.max_quarantined_share)
    return [[one.file.path, one.file.landed, one.rows, one.quarantined] for one in over[:OVER_LIMIT_TOLD]]
