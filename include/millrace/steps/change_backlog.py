"""What waits in a problem's topic and is not in bronze."""

from millrace.adapters import lake, topics
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.backlog import Backlog
from millrace.domain.change_offsets import Range, waiting
from millrace.steps.changes_table import recorded_offsets


def waiting_changes(problem: Problem, ref: str = lake.MAIN) -> Range:
    """The offsets that bronze has not taken in; it may be none.

    Raises:
        MillraceError: If the broker does not answer, or what follows bronze's offsets cannot be told for sure.
    """
    state = topics.state(_topic(problem))
    return waiting(state, recorded_offsets(names.bronze_changes(problem.source_name), ref), problem=problem.problem)


def backlog(problem: Problem) -> Backlog:
    """How much waits, and since when. Raises as `waiting_changes` does."""
    part = waiting_changes(problem)
    return Backlog(part.messages, topics.oldest_at(part), part.start, part.end)


def _topic(problem: Problem) -> str:
    assert problem.change_topic is not None, "only a source with a section `changes` has a topic"
    return problem.change_topic
