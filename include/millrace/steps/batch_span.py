"""Which rows of bronze one attempt of transform takes in."""

from datetime import UTC, datetime, timedelta

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.batches import BronzeAt, Landing, Span
from millrace.steps import bronze_table, recorded
from millrace.steps.derived_tables import has_its_columns
from millrace.steps.refused_batches import rejected_digest, rejected_files, waiting


def bronze_now(problem: Problem) -> BronzeAt | None:
    """The newest state of a source's bronze; None where nothing came yet.

    Changes count as long as there are any, also when the contract follows the table no longer.
    """
    files, changes = lake.head(names.bronze_files(problem.source_name)), lake.head(_changes(problem))
    if files is None and changes is None:
        return None
    return BronzeAt(files.snapshot_id if files else None, changes.snapshot_id if changes else None)


def bronze_to_read(problem: Problem) -> BronzeAt | None:
    """The same, with a table of files also where only changes came: it is read with them."""
    found = bronze_now(problem)
    if found is None or found.files is not None:
        return found
    lake.ensure_table(names.bronze_files(problem.source_name), bronze_table.SCHEMA, bronze_table.PARTITION)
    return bronze_now(problem)


def is_settled(problem: Problem, seen: recorded.Recorded, bronze: BronzeAt) -> bool:
    """Whether silver holds all of a state of bronze, but for the files that people rejected."""
    if not seen.holds(bronze, problem.contract_hash()) or not has_its_columns(problem):
        return False
    return seen.rejected_files == rejected_digest(problem, rejected_files(problem), seen.upstream)


def is_gold_first(problem: Problem, seen: recorded.Recorded) -> bool:
    """Whether silver holds what gold may take in, while a batch waits to be decided: that must not wait with it."""
    refused = waiting(problem, "silver", seen)
    if refused is None or refused.state != "refused":
        return False
    gold = recorded.of_gold(problem)
    of_gold = waiting(problem, "gold", gold)
    return gold.changed_seq < seen.changed_seq and (of_gold is None or of_gold.state == "accepted")


def was_just_refused(problem: Problem, seen: recorded.Recorded, bronze: BronzeAt) -> bool:
    """Whether a batch waits to be decided to which nothing but messages came, which go on coming.

    Judged with each of them it would be refused each time, as another batch. After `retry_seconds` it is judged again:
    what came since may have mended it.
    """
    refused = waiting(problem, "silver", seen) if problem.topics else None
    if refused is None or refused.state != "refused" or refused.span.until != bronze.files:
        return False
    retry_seconds = min(intake.retry_seconds for intake in problem.topics.values())
    return datetime.now(UTC) - refused.at < timedelta(seconds=retry_seconds)


def next_span(
    problem: Problem,
    branch: lake.Branch,
    seen: recorded.Recorded,
    rejected: frozenset[Landing],
    newest: BronzeAt,
) -> Span:
    """What the attempt takes in whose branch was cut from what `seen` tells of."""
    rebuild = recorded.must_rebuild(branch, seen, problem.contract_hash())
    rebuild |= seen.rejected_files != rejected_digest(problem, rejected, seen.upstream)
    refused = waiting(problem, "silver", seen)
    if refused is None and rebuild:
        # A rebuilt silver is published with gold: what gold was accepted with is that silver, and no later one.
        of_gold = waiting(problem, "gold", recorded.of_gold(problem))
        refused = of_gold if of_gold and of_gold.span.rebuild else None
    alone = refused.span.up_to if refused and refused.stands_alone else BronzeAt(None)
    files, changes = names.bronze_files(problem.source_name), _changes(problem)
    until = _still_there(files, alone.files) or newest.files
    assert until is not None, "only what `bronze_to_read` told is read"
    return Span(
        after=None if rebuild else _still_there(files, seen.upstream),
        until=until,
        sequence=seen.changed_seq + 1,
        rebuild=rebuild,
        rejected=rejected_digest(problem, rejected, until),
        changes_after=None if rebuild else _still_there(changes, seen.changes),
        changes_until=_still_there(changes, alone.changes) or newest.changes,
    )


def _changes(problem: Problem) -> str:
    return names.bronze_changes(problem.source_name)


def _still_there(table: str, snapshot_id: int | None) -> int | None:
    """The snapshot, or None where it has expired: then every row is read again, which merging does not mind."""
    return None if snapshot_id is None or lake.snapshot(table, snapshot_id) is None else snapshot_id
