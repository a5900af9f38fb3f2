"""Messages of a topic → bronze: a range that begins where the last one ended, published with its new end."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from millrace.adapters import lake, topics
from millrace.contract import names
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.domain.change_offsets import Range, bounded, newest_of
from millrace.domain.source_columns import differences, newest_commit, row_in
from millrace.settings import get_settings
from millrace.steps.bronze_table import RUN_ID
from millrace.steps.change_backlog import waiting_changes
from millrace.steps.changes_table import (
    COMMITTED_UNTIL,
    OFFSETS,
    SCHEMA,
    offsets_after,
    recorded_offsets,
    resumed_at,
    said_again,
)
from millrace.steps.phase import phase
from millrace.steps.table_verdicts import has_other_types, lacks_columns
from millrace.steps.written import dropped_on_failure, nothing_new, written_to
from spark_jobs.bronze_changes import Held, append_range, held
from spark_jobs.fenced_write import Target

log = logging.getLogger(__name__)
LOOKED_AT = 200
"""So many of the newest messages are looked at for how the table is now."""


def ingest_changes(spark: SparkSession, problem: Problem, *, attempt: str, run_id: str) -> dict[str, Any]:
    """Append what waits, `max_rows` of it at most, to a branch of bronze; check it, and publish it with its offsets.

    A message that cannot be read is kept with its bytes and position, and the reason; it stops nothing.

    Returns:
        table, snapshot_id (of main), messages, malformed (reason → messages), truncates, left (offsets that still
        wait), committed_until (of the newest change, ISO 8601, or None).

    Raises:
        MillraceError: If messages that bronze lacks are gone from the topic.
        VerdictError: If the source's table lacks a column of the contract, or has it with a type that cannot be the
            contract's; if the table was emptied and the contract does not allow that; or if the branch does not hold
            what was read.
        LostRaceError: If another attempt published first.
    """
    changes = problem.source.changes
    assert changes is not None, "only a source with a section `changes` has a topic"
    table = names.bronze_changes(problem.source_name)
    lake.ensure_table(table, SCHEMA)
    branch = lake.cut_branch(table, attempt)
    with dropped_on_failure(branch):
        # By what the branch was cut from: main may move on meanwhile, and then this attempt is refused.
        waits = waiting_changes(problem, branch.name)
        part = bounded(waits, changes.max_rows)
        if part is None:
            lake.drop_branch(branch)
            return _told(table, nothing_new(table, run_id)["snapshot_id"], Held(0, 0, {}, 0), None, left=0)
        # The newest of all that waits: rows from before the table was put right must not stop it for ever.
        newest = topics.values(newest_of(waits, LOOKED_AT))
        _demand_table(problem, part.topic, [row for value in newest if (row := row_in(value))])
        until = newest_commit(newest if part.end == waits.end else topics.values(newest_of(part, LOOKED_AT)))
        with phase(f"write {table}"):
            target = Target(table, branch.name, branch.base, _properties(problem, branch, part, until, run_id))
            servers = get_settings().kafka_servers
            append_range(spark, servers, part, target, ingested_at=datetime.now(UTC), run_id=run_id)
            written = written_to(branch, run_id)
        with phase(f"look at {table}") as told:
            resumed = resumed_at(table, branch.name)
            arrived = held(spark, table, written["snapshot_id"], part, since=resumed)
            told |= {"messages": arrived.messages, "malformed": sum(arrived.malformed.values())}
        _demand_allowed(problem, part.topic, arrived)
        _demand_once(branch, part, arrived, appended=written["changed"])
        left = waits.messages - part.messages
        return _told(table, lake.publish(branch), arrived, until, left=left)


def _properties(
    problem: Problem, branch: lake.Branch, part: Range, until: datetime | None, run_id: str
) -> dict[str, str]:
    """What the commit of a range is stamped with."""
    before = recorded_offsets(branch.table, branch.name)
    if before and part.topic not in before:
        words = "%s follows another table than before, read from its first row on; not taken in is what waits in %s"
        log.warning(words, problem.problem, ", ".join(before))
    return {
        **said_again(branch.table, branch.name),
        lake.BRANCH_PROPERTY: branch.name,
        OFFSETS: offsets_after(part, before),
        RUN_ID: run_id,
        **({COMMITTED_UNTIL: until.isoformat()} if until else {}),
    }


def _told(table: str, snapshot_id: int | None, arrived: Held, until: datetime | None, *, left: int) -> dict[str, Any]:
    return {
        "table": table,
        "snapshot_id": snapshot_id,
        "messages": arrived.messages,
        "malformed": arrived.malformed,
        "truncates": arrived.truncates,
        "left": left,
        "committed_until": until.isoformat() if until else None,
    }


def _demand_table(problem: Problem, topic: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """What the newest rows tell of the table: one that the contract cannot be true of stops the source."""
    if not rows:
        return
    found, table = differences(problem.source, rows), problem.change_table
    if found.unknown:
        words = "%s has columns that the contract does not know, kept in the messages: %s"
        log.warning(words, table, ", ".join(found.unknown))
    if found.absent:
        log.warning(
            "%s lacks columns of the contract; its rows have no value there: %s", table, ", ".join(found.absent)
        )
    file = f"include/problems/{problem.problem}.yaml"
    # The rows that wait stay as they are: only a newer one can tell that the table was mended.
    newer = f"the next row that is written tells so, and `millrace resnapshot {problem.problem}` brings every row"
    place = f"table {table}, topic {topic}"
    if found.lacking:
        raise lacks_columns(
            problem,
            found.lacking,
            place=place,
            found=f"the newest row has the columns {', '.join(sorted(rows[-1]))}",
            fix=f"put the column back, and {newer}; or say `nullable: true` of it in {file}",
        )
    if found.retyped:
        raise has_other_types(
            problem,
            found.retyped,
            place=place,
            found=f"in the newest row {', '.join(f'{name} is {words}' for name, words in found.retyped.items())}",
            fix=f"give the column its type again, and {newer}; or change `type` in {file}",
        )


def _demand_allowed(problem: Problem, topic: str, arrived: Held) -> None:
    """A table that was emptied stops the source, for it would empty silver, gold and the warehouse."""
    assert problem.source.changes is not None
    if arrived.truncates and not problem.source.changes.allow_truncate:
        raise VerdictError(
            "The source's table was emptied by TRUNCATE",
            place=f"table {problem.change_table}, topic {topic}",
            found=f"{arrived.truncates} of {arrived.messages} messages that wait",
            expected="rows that are inserted, updated or deleted",
            fix="nothing was written; readers keep what they have. If every row is to go, set `allow_truncate: true` in"
            f" its `changes` in include/problems/{problem.problem}.yaml; rows that were inserted since come with it",
        )


def _demand_once(branch: lake.Branch, part: Range, arrived: Held, *, appended: int) -> None:
    if (arrived.messages, arrived.twice) != (appended, 0):
        raise VerdictError(
            "Bronze does not hold what was read",
            place=f"table {branch.table}, branch {branch.name}",
            found=f"{arrived.messages} messages from offsets {part.start} on, {arrived.twice} of them twice",
            expected=f"{appended} messages, each once",
            fix="start ingest_changes again; if it fails again, look at the log of ingest_changes",
        )
