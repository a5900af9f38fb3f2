"""What waits in a problem's topic and is not in bronze, and whether an ingestion is to start for it."""

from millrace.adapters import lake, topics
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.backlog import Backlog, Firing, reason
from millrace.domain.change_offsets import BrokenOffsetsError, Range, waiting
from millrace.steps.changes_table import recorded_offsets


def waiting_changes(problem: Problem, ref: str = lake.MAIN) -> Range:
    """The offsets that bronze has not taken in; it may be none.

    Raises:
        BrokenOffsetsError: If what follows bronze's offsets cannot be told for sure.
        MillraceError: If the broker does not answer.
    """
    # Bronze first: taken in after the topic told its end, its offsets would be beyond that.
    recorded = recorded_offsets(names.bronze_changes(problem.source_name), ref)
    topic = _topic(problem)
    return waiting(topics.state(topic), recorded.get(topic), problem=problem.problem)


def backlog(problem: Problem) -> Backlog:
    """How much waits, and since when. Raises as `waiting_changes` does."""
    part = waiting_changes(problem)
    return Backlog(part.messages, topics.oldest_at(part), part.start, part.end)


def firing(problem: Problem, *, now: float) -> Firing | None:
    """Why an ingestion is to start: so much waits, or for so long; or one must say what a person has to decide.

    Raises:
        MillraceError: If broker or lake do not answer.
    """
    changes = problem.source.changes
    assert changes is not None, "only a source with a section `changes` is ingested from a topic"
    try:
        found = backlog(problem)
    except BrokenOffsetsError as error:
        why = f"{error.problem} ({error.place}): {error.fix}"
        return Firing(why, why, {}, 0)
    why_now = reason(found, changes, now=now)
    if why_now is None:
        return None
    start = ", ".join(f"{offset} of partition {partition}" for partition, offset in sorted(found.start.items()))
    return Firing(why_now, f"messages wait in topic {_topic(problem)} from offset {start} on", found.start, found.rows)


def _topic(problem: Problem) -> str:
    assert problem.change_topic is not None, "only a source with a section `changes` has a topic"
    return problem.change_topic
