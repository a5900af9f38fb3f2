"""What a person decides about a batch that a check refused: its files are set aside, or it passes as it is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from millrace.adapters import batch_decisions, lake
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.domain.batches import Landing
from millrace.steps.recorded import is_empty, of_gold, of_silver
from millrace.steps.refused_batches import RefusedBatch, landings, refused_batches, rejected_files, waiting


def decide(
    problem: Problem,
    batch: str,
    state: Literal["accepted", "rejected"],
    *,
    actor: str,
    reason: str,
    every_file: bool = False,
) -> RefusedBatch:
    """Reject or accept a refused batch.

    Args:
        every_file: Reject all files of the batch, not only those that broke a limit of their own.

    Returns:
        The batch as it is now.

    Raises:
        LostRaceError: If it is decided already.
        MillraceError: If there is no such batch, if a newer one took its place, or if rejecting it would set no file
            aside, or every one.
    """
    found = next((one for one in refused_batches(problem) if one.batch == batch), None)
    if found is None:
        raise _unknown(problem, batch)
    files = found.files if every_file else found.set_aside_by_rejection
    if found.state == "refused":
        _demand_in_turn(problem, found)
        if state == "rejected":
            _demand_rows_left(problem, found, files)
    detail = {"files": [[file.path, file.landed] for file in files]} if state == "rejected" else {}
    batch_decisions.decide(problem.problem, batch, state, actor=actor, reason=reason, detail=detail)
    return replace(found, state=state, actor=actor, reason=reason)


def in_turn(problem: Problem) -> set[str]:
    """The batches that can be decided: those that are next for their tables, and those beside which only changes came
    since, which go on coming. Of others a newer one took the place, or they are taken in."""
    next_ones = (waiting(problem, "silver", of_silver(problem)), waiting(problem, "gold", of_gold(problem)))
    every = refused_batches(problem)
    return {
        other.batch
        for one in next_ones
        if one is not None
        for other in every
        if other.batch == one.batch or (other.state == "refused" and _differ_by_changes_only(other, one))
    }


def _differ_by_changes_only(one: RefusedBatch, other: RefusedBatch) -> bool:
    told = [
        (each.stage, each.contract_hash, replace(each.span, changes_after=None, changes_until=None))
        for each in (one, other)
    ]
    return one.span != other.span and told[0] == told[1]


def _demand_in_turn(problem: Problem, refused: RefusedBatch) -> None:
    if refused.batch in in_turn(problem):
        return
    raise MillraceError(
        "The batch is outdated: more files landed, the contract changed, or its files were taken in",
        place=f"batch {refused.batch} of {problem.problem}",
        found=refused.why,
        expected="the batch that the newest run of transform was refused for",
        fix=f"`millrace batches {problem.problem}` shows which one waits, if any does",
    )


def _came_by_topics(problem: Problem) -> bool:
    table = names.bronze_changes(problem.source_name)
    return lake.table_exists(table) and lake.count(table) > 0


def _demand_rows_left(problem: Problem, refused: RefusedBatch, files: Sequence[Landing]) -> None:
    name, batch = problem.problem, refused.batch
    place, accept = f"batch {batch} of {name}", f"`millrace accept {name} {batch} --reason …`"
    if not files:
        raise MillraceError(
            "There is no file to set aside",
            place=place,
            found="none that came with the batch: a replay brought its rows, or bronze has forgotten which are new",
            expected="a batch that names its files",
            fix=f"{accept}, or mend the contract",
        )
    bronze, silver = names.bronze_files(problem.source_name), names.silver(problem.source_name)
    head = lake.head(bronze)
    left = landings(problem, head.snapshot_id) - rejected_files(problem) - set(files) if head else set()
    # A first batch may go altogether: nobody reads a row yet.
    if left or _came_by_topics(problem) or not (refused.span.rebuild or not is_empty(silver, lake.MAIN)):
        return
    raise MillraceError(
        "Rejecting every file there is would leave nothing",
        place=place,
        found=refused.why,
        expected="some files that broke a limit, or another decision",
        fix=f"put the old contract back if it changed, or {accept}",
    )


def _unknown(problem: Problem, batch: str) -> MillraceError:
    open_ones = [one.batch for one in refused_batches(problem) if one.state == "refused"]
    return MillraceError(
        f"Problem {problem.problem} has no batch {batch}",
        place="table control.batch_transitions",
        found=f"undecided batches: {', '.join(open_ones) or 'none'}",
        expected="a batch that a check refused",
        fix=f"`millrace batches {problem.problem}` lists them",
    )
