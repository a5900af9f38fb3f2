"""Messages of topics → bronze: a range that begins where the last one ended, published with its new end."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from millrace.adapters import lake, topics
from millrace.contract import names
from millrace.contract.errors import MillraceError, VerdictError
from millrace.contract.problem import Problem
from millrace.domain.change_offsets import Range, bounded, newest_of
from millrace.domain.message_fields import row_of
from millrace.domain.source_columns import newest_commit, row_in
from millrace.settings import get_settings
from millrace.steps.bronze_table import RUN_ID
from millrace.steps.change_backlog import waiting_in
from millrace.steps.changes_table import (
    COMMITTED_UNTIL,
    OFFSETS,
    SCHEMA,
    offsets_after,
    recorded_offsets,
    resumed_at,
    said_again,
)
from millrace.steps.demand_table import demand_no_truncate, demand_table
from millrace.steps.demand_way import demand_way
from millrace.steps.phase import phase
from millrace.steps.tell_drift import tell_drift
from millrace.steps.written import dropped_on_failure, written_to
from spark_jobs.bronze_changes import Held, append_range, held
from spark_jobs.fenced_write import Target
from spark_jobs.transforms.envelope import parse
from spark_jobs.transforms.foreign_changes import parse_foreign
from spark_jobs.transforms.message_rows import parse_rows

log = logging.getLogger(__name__)
LOOKED_AT = 200
"""So many of the newest messages are looked at for what rows are like by now."""


def ingest_changes(spark: SparkSession, problem: Problem, *, attempt: str, run_id: str) -> dict[str, Any]:
    """Append what waits in each topic, its `max_rows` at most, each in a commit of its own with its offsets.

    A message that cannot be read is kept with its bytes and position, and the reason; it stops nothing. Nor does a
    topic that cannot be taken in stop another: it fails the run when the others have come.

    Returns:
        table, snapshot_id (of main), messages, malformed (reason → messages), truncates, left (offsets that still
        wait), committed_until (of the newest change, ISO 8601, or None).

    Raises:
        MillraceError: If messages that bronze lacks are gone from a topic.
        VerdictError: If the source's table lacks a column of the contract, or has it with a type that cannot be the
            contract's; if the table was emptied and the contract does not allow that; or if the branch does not hold
            what was read.
        LostRaceError: If another attempt published first.
    """
    told: list[_Told] = []
    failed: list[MillraceError] = []
    for number, topic in enumerate(problem.topics):
        # Each writes to a branch of its own.
        of_topic = f"{attempt}_{number}" if number else attempt
        try:
            told.append(_ingest(spark, problem, topic, attempt=of_topic, run_id=run_id))
        except MillraceError as error:
            log.warning("Topic %s was not taken in: %s", topic, error)
            failed.append(error)
    if failed:
        # A fault may be gone when it is tried again; then the verdict is what is left to say.
        raise min(failed, key=lambda error: isinstance(error, VerdictError))
    return _together(names.bronze_changes(problem.source_name), told)


@dataclass(frozen=True)
class _Told:
    """What came of one topic. `left`: offsets that still wait."""

    arrived: Held
    until: datetime | None
    left: int


def _ingest(spark: SparkSession, problem: Problem, topic: str, *, attempt: str, run_id: str) -> _Told:
    """Append what waits in a topic to a branch of bronze; check it, and publish it with its offsets."""
    table, said = names.bronze_changes(problem.source_name), problem.format_of(topic)
    lake.ensure_table(table, SCHEMA)
    branch = lake.cut_branch(table, attempt)
    with dropped_on_failure(branch):
        # By what the branch was cut from: main may move on meanwhile, and then this attempt is refused.
        waits = waiting_in(problem, topic, branch.name)
        part = bounded(waits, problem.topics[topic].max_rows)
        if part is None:
            lake.drop_branch(branch)
            return _Told(Held(0, 0, {}, 0), None, left=0)
        if problem.is_of_others(topic) and problem.source.changes is None:
            # Beside `changes` it is meant so: what the table says of a row counts, and messages tell of the others.
            demand_way(problem, "topic")
        # The newest of all that waits: rows from before the table was put right must not stop it for ever.
        newest = topics.values(newest_of(waits, LOOKED_AT))
        until = None
        if said is None:
            demand_table(problem, topic, [row for value in newest if (row := row_in(value))])
            until = newest_commit(newest if part.end == waits.end else topics.values(newest_of(part, LOOKED_AT)))
        else:
            tell_drift(problem, topic, [row for value in newest if (row := row_of(value, said))])
        with phase(f"write {table}"):
            target = Target(table, branch.name, branch.base, _properties(problem, branch, part, until, run_id))
            of_changes = parse_foreign if problem.is_of_others(topic) else parse
            read = of_changes if said is None else partial(parse_rows, said=said)
            servers = get_settings().kafka_servers
            append_range(spark, servers, part, target, read=read, ingested_at=datetime.now(UTC), run_id=run_id)
            written = written_to(branch, run_id)
        with phase(f"look at {table}") as told:
            resumed = resumed_at(table, branch.name)
            arrived = held(spark, table, written["snapshot_id"], part, since=resumed)
            told |= {"messages": arrived.messages, "malformed": sum(arrived.malformed.values())}
        if said is None:
            demand_no_truncate(problem, topic, arrived)
        _demand_once(branch, part, arrived, appended=written["changed"])
        lake.publish(branch)
        return _Told(arrived, until, left=waits.messages - part.messages)


def _properties(
    problem: Problem, branch: lake.Branch, part: Range, until: datetime | None, run_id: str
) -> dict[str, str]:
    """What the commit of a range is stamped with."""
    before = recorded_offsets(branch.table, branch.name)
    others = sorted(before.keys() - problem.topics.keys())
    if others and part.topic not in before:
        words = "%s follows another one than before, read from its first message on; not taken in is what waits in %s"
        log.warning(words, problem.problem, ", ".join(others))
    return {
        **said_again(branch.table, branch.name),
        lake.BRANCH_PROPERTY: branch.name,
        OFFSETS: offsets_after(part, before),
        RUN_ID: run_id,
        **({COMMITTED_UNTIL: until.isoformat()} if until else {}),
    }


def _together(table: str, told: Sequence[_Told]) -> dict[str, Any]:
    head = lake.head(table)
    malformed: Counter[str] = Counter()
    for one in told:
        malformed.update(one.arrived.malformed)
    until = max((one.until for one in told if one.until), default=None)
    return {
        "table": table,
        "snapshot_id": head.snapshot_id if head else None,
        "messages": sum(one.arrived.messages for one in told),
        "malformed": dict(malformed),
        "truncates": sum(one.arrived.truncates for one in told),
        "left": sum(one.left for one in told),
        "committed_until": until.isoformat() if until else None,
    }


def _demand_once(branch: lake.Branch, part: Range, arrived: Held, *, appended: int) -> None:
    if (arrived.messages, arrived.twice) != (appended, 0):
        raise VerdictError(
            "Bronze does not hold what was read",
            place=f"table {branch.table}, branch {branch.name}",
            found=f"{arrived.messages} messages from offsets {part.start} on, {arrived.twice} of them twice",
            expected=f"{appended} messages, each once",
            fix="start ingest_changes again; if it fails again, look at the log of ingest_changes",
        )
