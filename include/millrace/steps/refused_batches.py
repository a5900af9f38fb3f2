"""Batches that a check refused: each is recorded, waits, and is rejected or accepted by a person, with a reason.

A rejected file stays in bronze and never reaches silver, also when silver is rebuilt. An accepted batch passes the
rules that it broke, and no other batch does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from millrace.adapters import batch_decisions, lake
from millrace.adapters.batch_decisions import BatchTransition, State
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.batches import Landing, Span, batch_id, digest
from millrace.steps.recorded import Recorded, of_gold

Stage = Literal["silver", "gold"]
CHECK = "check"
"""The actor of a refusal."""


@dataclass(frozen=True)
class RefusedBatch:
    """What a check refused, and what became of it. `actor` and `reason` are those of the newest step."""

    batch: str
    stage: Stage
    span: Span
    contract_hash: str
    rules: tuple[str, ...]
    why: str
    files: tuple[Landing, ...]
    blamed: tuple[Landing, ...]
    """Those of the files that broke a limit of their own; none where only the table as a whole did."""
    docs: str
    state: State
    actor: str
    reason: str
    at: datetime

    @property
    def set_aside_by_rejection(self) -> tuple[Landing, ...]:
        """The files that a rejection takes out, unless all are meant."""
        return self.blamed or self.files

    @property
    def stands_alone(self) -> bool:
        """Whether it is judged without what landed since: a file above a limit gets no better by others, but a table
        with too few rows may. What a person accepted is that batch and no more."""
        return bool(self.blamed) or self.state == "accepted"


def refused_batches(problem: Problem) -> list[RefusedBatch]:
    """Every batch of the problem that was ever refused, the oldest first, each in its newest state."""
    found: dict[str, RefusedBatch] = {}
    for step in batch_decisions.transitions(problem.problem):
        known = found.get(step.batch)
        if known is None:
            found[step.batch] = _told(step)
        else:
            found[step.batch] = replace(known, state=step.state, actor=step.actor, reason=step.reason, at=step.at)
    return list(found.values())


def rejected_files(problem: Problem) -> frozenset[Landing]:
    """The files that people rejected."""
    steps = [step for step in batch_decisions.transitions(problem.problem) if step.state == "rejected"]
    return frozenset(Landing(*file) for step in steps for file in step.detail["files"])


def waiting(problem: Problem, stage: Stage, seen: Recorded) -> RefusedBatch | None:
    """The refused or accepted batch that is next for its table; None once it is rejected, taken in, or outdated.

    An accepted one comes before one that a run refused meanwhile, which holds more than was accepted.

    Args:
        seen: What main of the stage's table records.
    """
    number = seen.changed_seq if stage == "silver" else seen.gold_seq
    next_one = None
    for one in reversed(refused_batches(problem)):
        if one.stage != stage or (one.contract_hash, one.span.sequence) != (_contract_hash(problem, stage), number + 1):
            continue
        if one.state == "rejected":
            break
        if one.state == "accepted":
            return one
        next_one = next_one or one
    return next_one


def _contract_hash(problem: Problem, stage: Stage) -> str:
    return problem.contract_hash() if stage == "silver" else problem.gold_hash()


def refuse(
    problem: Problem, stage: Stage, written: dict[str, Any], *, rules: Sequence[str], why: str, docs: str
) -> RefusedBatch:
    """Record a refusal, unless it is known, and tell what people decided about this batch.

    Args:
        written: What the attempt told: `span`, and `over_limit` where files broke a limit of their own.
        rules: The rules that are broken.
    """
    span = Span(**written["span"])
    contract_hash = _contract_hash(problem, stage)
    batch = batch_id(stage, contract_hash, span, rules)
    known = {one.batch: one for one in refused_batches(problem)}
    if batch not in known:
        detail = {
            "stage": stage,
            "span": span.as_json(),
            "contract_hash": contract_hash,
            "rules": sorted(set(rules)),
            "why": why,
            "files": [[file.path, file.landed] for file in sorted(_files_of(problem, span))],
            "blamed": [file[:2] for file in written.get("over_limit", [])],
            "docs": docs,
        }
        batch_decisions.refuse(problem.problem, batch, actor=CHECK, reason=why, detail=detail)
        known = {one.batch: one for one in refused_batches(problem)}
    found = known[batch]
    asked = _accepted_in_silver(problem, found, list(known.values())) if stage == "gold" else None
    if found.state != "refused" or asked is None:
        return found
    reason = f"{asked.reason} (said of batch {asked.batch} of silver)"
    batch_decisions.decide(problem.problem, batch, "accepted", actor=asked.actor, reason=reason, detail={})
    return replace(found, state="accepted", actor=asked.actor, reason=reason)


def _files_of(problem: Problem, span: Span) -> frozenset[Landing]:
    """The files of a span; none where bronze has forgotten which of its files came before."""
    bronze = names.bronze_files(problem.source_name)
    if span.after is not None and lake.snapshot(bronze, span.after) is None:
        return frozenset()
    before = landings(problem, span.after) if span.after is not None else frozenset()
    return landings(problem, span.until) - before - rejected_files(problem)


def rejected_digest(problem: Problem, rejected: frozenset[Landing], snapshot_id: int | None) -> str:
    """Names the rejected files among those that bronze held at a snapshot."""
    if not rejected or snapshot_id is None:
        return ""
    return digest(rejected & landings(problem, snapshot_id))


def landings(problem: Problem, snapshot_id: int) -> frozenset[Landing]:
    """The files that a snapshot of bronze holds rows of; none where it has expired."""
    table = names.bronze_files(problem.source_name)
    if lake.snapshot(table, snapshot_id) is None:
        return frozenset()
    columns, where = ("path", "last_modified", "rows"), "record == 'file' and rows > 0"
    markers = lake.read(table, snapshot_id=snapshot_id, columns=columns, where=where).to_pylist()
    return frozenset(Landing(one["path"], _micros(one["last_modified"])) for one in markers)


def way_out(problem: Problem, refused: RefusedBatch) -> str:
    """What a person may do about a refused batch, in words."""
    name, batch = problem.problem, refused.batch
    reject = f"`millrace reject {name} {batch} --reason …` sets {_counted(refused.set_aside_by_rejection)} aside, "
    if refused.span.rebuild and not refused.blamed:
        reject = "put the old contract back into the problem file, "
    elif not refused.files:
        reject = ""
    return (
        f"{reject}`millrace accept {name} {batch} --reason …` lets this batch through as it is; or mend the contract,"
        f" and start transform again. The report is {refused.docs}. Until then readers keep what they had"
    )


def _accepted_in_silver(problem: Problem, gold: RefusedBatch, every: list[RefusedBatch]) -> RefusedBatch | None:
    """The batch of silver, new to gold, that brought these rows, if a person let it past these rules."""
    in_gold = of_gold(problem).changed_seq
    for one in every:
        if one.stage != "silver" or one.state != "accepted" or one.span.sequence <= in_gold:
            continue
        same_rows = (one.span.up_to, one.contract_hash) == (gold.span.up_to, problem.contract_hash())
        if same_rows and set(one.rules) >= set(gold.rules):
            return one
    return None


def _told(step: BatchTransition) -> RefusedBatch:
    told = step.detail
    return RefusedBatch(
        step.batch,
        told["stage"],
        Span(**told["span"]),
        told["contract_hash"],
        tuple(told["rules"]),
        told["why"],
        tuple(Landing(*file) for file in told["files"]),
        tuple(Landing(*file) for file in told["blamed"]),
        told["docs"],
        step.state,
        step.actor,
        step.reason,
        step.at,
    )


def _counted(files: Sequence[Landing]) -> str:
    return files[0].path if len(files) == 1 else f"{len(files)} files"


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
