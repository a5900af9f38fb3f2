"""Messages of a topic → bronze: a range that begins where the last one ended, published with its new end."""

import logging
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.domain.change_offsets import Range, bounded
from millrace.settings import get_settings
from millrace.steps.bronze_table import ROWS, RUN_ID
from millrace.steps.change_backlog import waiting_changes
from millrace.steps.changes_table import COMMITTED_UNTIL, OFFSETS, SCHEMA, offsets_after, resumed_at
from millrace.steps.phase import phase
from millrace.steps.written import dropped_on_failure, nothing_new, written_to
from spark_jobs.bronze_changes import Arrived, append_changes, look_at, read_range, written_twice
from spark_jobs.fenced_write import Target

log = logging.getLogger(__name__)


def ingest_changes(spark: SparkSession, problem: Problem, *, attempt: str, run_id: str) -> dict[str, Any]:
    """Append what waits, `max_rows` of it at most, to a branch of bronze; check it, and publish it with its offsets.

    A message that cannot be read is kept with its bytes and position, and the reason; it stops nothing.

    Returns:
        table, snapshot_id (of main), messages, malformed (reason → messages), truncates, left (offsets that still
        wait), committed_until (of the newest change, ISO 8601, or None).

    Raises:
        MillraceError: If messages that bronze lacks are gone from the topic.
        VerdictError: If a column of the contract left the source's table, or the branch does not hold what was read.
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
            return _told(table, nothing_new(table, run_id)["snapshot_id"], Arrived(0, {}, 0, (), None), left=0)
        read = read_range(spark, get_settings().kafka_servers, part)
        with phase(f"look at {part.topic}") as told:
            arrived = look_at(read)
            told |= {"messages": arrived.messages, "malformed": sum(arrived.malformed.values())}
        _demand_columns(problem, arrived)
        properties = {
            lake.BRANCH_PROPERTY: branch.name,
            OFFSETS: offsets_after(part),
            ROWS: str(arrived.messages),
            RUN_ID: run_id,
        }
        if arrived.committed_until:
            # Without a zone, as Spark collects it, it is of this machine's.
            properties[COMMITTED_UNTIL] = arrived.committed_until.astimezone(UTC).isoformat()
        with phase(f"write {table}"):
            target = Target(table, branch.name, branch.base, properties)
            append_changes(read, target, ingested_at=datetime.now(UTC), run_id=run_id)
            written = written_to(branch, run_id)
        _demand_once(spark, branch, written["snapshot_id"], part, arrived)
        left = waits.messages - part.messages
        return _told(table, lake.publish(branch), arrived, left=left)


def _told(table: str, snapshot_id: int | None, arrived: Arrived, *, left: int) -> dict[str, Any]:
    return {
        "table": table,
        "snapshot_id": snapshot_id,
        "messages": arrived.messages,
        "malformed": arrived.malformed,
        "truncates": arrived.truncates,
        "left": left,
        "committed_until": arrived.committed_until.isoformat() if arrived.committed_until else None,
    }


def _demand_columns(problem: Problem, arrived: Arrived) -> None:
    """A column that the contract does not know stays in the message and is told; one that is gone stops the source."""
    source = problem.source
    declared = {*source.columns}
    wanted = {name for name, column in source.columns.items() if not column.optional}
    for columns in arrived.columns:
        if unknown := sorted(columns - declared):
            log.warning(
                "%s has columns that the contract does not know, kept in the messages: %s",
                problem.change_table,
                ", ".join(unknown),
            )
        if lacking := sorted(wanted - columns):
            raise VerdictError(
                f"The source's table lacks a column of the contract: {', '.join(lacking)}",
                place=f"table {problem.change_table}, topic {problem.change_topic}",
                found=f"rows with the columns {', '.join(sorted(columns))}",
                expected=f"{', '.join(f'{name} ({source.columns[name].type})' for name in lacking)}, too",
                fix="nothing was written: put the column back, or say `optional: true` and `nullable: true` of it in "
                f"include/problems/{problem.problem}.yaml; then start ingest_changes again",
            )


def _demand_once(spark: SparkSession, branch: lake.Branch, snapshot_id: int, part: Range, arrived: Arrived) -> None:
    rows, twice = written_twice(spark, branch.table, snapshot_id, part, since=resumed_at(branch.table, branch.name))
    if (rows, twice) != (arrived.messages, 0):
        raise VerdictError(
            "Bronze does not hold what was read",
            place=f"table {branch.table}, branch {branch.name}",
            found=f"{rows} messages from offsets {part.start} on, {twice} of them twice",
            expected=f"{arrived.messages} messages, each once",
            fix="start ingest_changes again; if it fails again, look at the log of ingest_changes",
        )
