"""Bronze to quarantine and silver: the new rows, judged by the contract and merged, on a branch that no one reads."""

import json
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.batches import Landing, Span, over_limit
from millrace.steps import recorded
from millrace.steps.contract_in_force import demand_applied
from millrace.steps.derived_tables import ensure_quarantine, ensure_silver
from millrace.steps.phase import phase
from millrace.steps.refused_batches import rejected_digest, rejected_files, waiting
from millrace.steps.written import dropped_on_failure, nothing_new, written_to
from spark_jobs.bronze_rows import judged_rows, kept, not_of, read_rows
from spark_jobs.fenced_write import Target, read_at
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
    rows: DataFrame
    receipt: Receipt
    attempt: str
    run_id: str

    def properties(self, branch: lake.Branch, **more: str) -> dict[str, str]:
        return {
            lake.BRANCH_PROPERTY: branch.name,
            recorded.BRONZE_SNAPSHOT: str(self.span.until),
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
    bronze = lake.head(names.bronze_files(problem.source_name))
    silver = names.silver(problem.source_name)
    if bronze is None:
        return nothing_new(silver, run_id)
    demand_applied(problem)
    seen = recorded.of_silver(problem)
    if _is_settled(problem, seen, bronze.snapshot_id) or _is_gold_first(problem, seen):
        return nothing_new(silver, run_id)
    ensure_silver(problem)
    ensure_quarantine(problem)
    branch = lake.cut_branch(silver, attempt)
    with dropped_on_failure(branch):
        # What counts is what the branch's base says: main may have moved since the look above.
        seen = recorded.of_silver(problem, branch.name)
        rejected = rejected_files(problem)
        span = _span(problem, branch, seen, rejected, bronze.snapshot_id)
        read = read_rows(spark, problem, after=span.after, until=span.until, without=rejected)
        with kept(judged_rows(read, problem), problem) as rows:
            with phase(f"judge {problem.source_name}") as told:
                counts = receipt(rows)
                told |= {"rows": counts.rows_read, "quarantined": counts.rows_quarantined}
            batch = _Batch(problem, span, rejected, rows, counts, attempt, run_id)
            if counts.rows_read == 0 and not span.rebuild:  # files that were set aside, or rejected, bring no row
                if rejected:
                    _pass_over(batch, branch, changed_seq=seen.changed_seq)
                else:
                    lake.drop_branch(branch)
                return nothing_new(silver, run_id)
            quarantined = _publish_quarantine(spark, batch)
            return _write_silver(spark, batch, branch, quarantined)


def _is_settled(problem: Problem, seen: recorded.Recorded, bronze_snapshot: int) -> bool:
    if not seen.is_at(bronze_snapshot, problem.contract_hash()):
        return False
    return seen.rejected_files == rejected_digest(problem, rejected_files(problem), seen.upstream)


def _is_gold_first(problem: Problem, seen: recorded.Recorded) -> bool:
    """Whether silver holds what gold may take in, while a batch waits to be decided: that must not wait with it."""
    refused = waiting(problem, "silver", seen)
    if refused is None or refused.state != "refused":
        return False
    gold = recorded.of_gold(problem)
    of_gold = waiting(problem, "gold", gold)
    return gold.changed_seq < seen.changed_seq and (of_gold is None or of_gold.state == "accepted")


def _span(
    problem: Problem, branch: lake.Branch, seen: recorded.Recorded, rejected: frozenset[Landing], newest: int
) -> Span:
    table = names.bronze_files(problem.source_name)
    rebuild = recorded.must_rebuild(branch, seen, problem.contract_hash())
    rebuild |= seen.rejected_files != rejected_digest(problem, rejected, seen.upstream)
    refused = waiting(problem, "silver", seen)
    if refused is None and rebuild:
        # A rebuilt silver is published with gold: what gold was accepted with is that silver, and no later one.
        of_gold = waiting(problem, "gold", recorded.of_gold(problem))
        refused = of_gold if of_gold and of_gold.span.rebuild else None
    until = (_still_there(table, refused.span.until) if refused and refused.stands_alone else None) or newest
    after = None if rebuild else _still_there(table, seen.upstream)
    return Span(after, until, seen.changed_seq + 1, rebuild, rejected_digest(problem, rejected, until))


def _pass_over(batch: _Batch, branch: lake.Branch, *, changed_seq: int) -> None:
    """Publish that silver has seen a span without a row for it. There is nothing to check."""
    lake.append_nothing(branch, batch.properties(branch, **{recorded.CHANGED_SEQ: str(changed_seq)}))
    lake.publish(branch)


def _publish_quarantine(spark: SparkSession, batch: _Batch) -> DataFrame | None:
    """Publish the batch's broken rows, and return all of this contract's."""
    table, contract_hash = names.quarantine(batch.problem.source_name), batch.problem.contract_hash()
    with phase(f"write {table}") as told:
        branch = lake.cut_branch(table, batch.attempt)
        if recorded.recorded(table, recorded.BRONZE_SNAPSHOT, branch.name).is_at(batch.span.until, contract_hash):
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
    more = {recorded.CHANGED_SEQ: str(span.sequence), recorded.RECEIPT: json.dumps(batch.receipt.as_json())}
    more |= {recorded.REBUILT: "true"} if span.rebuild else {}
    target = Target(branch.table, branch.name, branch.base, batch.properties(branch, **more))
    empty = recorded.is_empty(branch.table, branch.name)
    with phase(f"write {branch.table}") as told:
        write_silver(
            spark,
            batch.problem,
            batch.rows,
            target,
            quarantined=quarantined,
            sequence=span.sequence,
            empty=empty,
            rebuild=span.rebuild,
        )
        written = written_to(branch, batch.run_id)
        told["changed"] = written["changed"]
    return {
        **written,
        "rebuilt": span.rebuild,
        "receipt": batch.receipt.as_json(),
        "span": span.as_json(),
        "over_limit": _over_limit(batch),
    }


def _over_limit(batch: _Batch) -> list[list[str | int]]:
    over = over_limit(batch.receipt.by_file, batch.problem.source.quality.max_quarantined_share)
    return [[one.file.path, one.file.landed, one.rows, one.quarantined] for one in over[:OVER_LIMIT_TOLD]]


def _still_there(table: str, snapshot_id: int | None) -> int | None:
    """The snapshot, or None where it has expired: then every row is read again, which merging does not mind."""
    if snapshot_id is None or lake.catalog().load_table(table).snapshot_by_id(snapshot_id) is None:
        return None
    return snapshot_id
