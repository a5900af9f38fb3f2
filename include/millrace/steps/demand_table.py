"""Whether the table that a source follows is one that its contract can be true of, told by the messages that wait."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.domain.source_columns import differences
from millrace.steps.table_verdicts import has_other_types, lacks_columns
from spark_jobs.bronze_changes import Held

log = logging.getLogger(__name__)


def demand_table(problem: Problem, topic: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """What the newest rows tell of the table: one that the contract cannot be true of stops the source.

    Raises:
        VerdictError: If it lacks a column of the contract, or has it with a type that cannot be the contract's.
    """
    if not rows:
        return
    found = differences(problem.source, rows)
    table, brings_every_row = _table(problem, topic)
    if found.unknown:
        words = "%s has columns that the contract does not know, kept in the messages: %s"
        log.warning(words, table, ", ".join(found.unknown))
    if found.absent:
        log.warning(
            "%s lacks columns of the contract; its rows have no value there: %s", table, ", ".join(found.absent)
        )
    file = f"include/problems/{problem.problem}.yaml"
    # The rows that wait stay as they are: only a newer one can tell that the table was mended.
    newer = f"the next row that is written tells so, and {brings_every_row} brings every row"
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


def demand_no_truncate(problem: Problem, topic: str, arrived: Held) -> None:
    """A table that was emptied stops the source, for it would empty silver, gold and the warehouse.

    Raises:
        VerdictError: If it was, and the contract does not allow that.
    """
    told = problem.source.topic if problem.is_of_others(topic) else problem.source.changes
    assert told is not None
    section = "topic" if problem.is_of_others(topic) else "changes"
    if arrived.truncates and not told.allow_truncate:
        raise VerdictError(
            "The source's table was emptied by TRUNCATE",
            place=f"table {_table(problem, topic)[0]}, topic {topic}",
            found=f"{arrived.truncates} of {arrived.messages} messages that wait",
            expected="rows that are inserted, updated or deleted",
            fix="nothing was written; readers keep what they have. If every row is to go, set `allow_truncate: true` in"
            f" its `{section}` in include/problems/{problem.problem}.yaml; rows that were inserted since come with it",
        )


def _table(problem: Problem, topic: str) -> tuple[str, str]:
    """A table, and what brings all its rows once more, in words."""
    if problem.is_of_others(topic):
        return "of somebody else's connector", "a new snapshot by that connector"
    return str(problem.change_table), f"`millrace resnapshot {problem.problem}`"
