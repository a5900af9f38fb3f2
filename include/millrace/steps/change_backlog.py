"""What waits in a problem's topics and is not in bronze, and whether an ingestion is to start for it."""

from millrace.adapters import lake, topics
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.domain.backlog import Backlog, Firing, reason, together
from millrace.domain.change_offsets import BrokenOffsetsError, Range, waiting
from millrace.steps.changes_table import recorded_offsets


def waiting_in(problem: Problem, topic: str, ref: str = lake.MAIN) -> Range:
    """The offsets of a topic that bronze has not taken in; it may be none.

    Raises:
        BrokenOffsetsError: If what follows bronze's offsets cannot be told for sure.
        MillraceError: If the broker does not answer.
    """
    # Bronze first: taken in after the topic told its end, its offsets would be beyond that.
    recorded = recorded_offsets(names.bronze_changes(problem.source_name), ref)
    of_others = problem.is_of_others(topic)
    return waiting(topics.state(topic), recorded.get(topic), problem=problem.problem, produced=of_others)


def waiting_changes(problem: Problem, ref: str = lake.MAIN) -> Range:
    """The same, of the changes of a problem's table."""
    assert problem.change_topic is not None, "only a source with a section `changes` has that topic"
    return waiting_in(problem, problem.change_topic, ref)


def waiting_messages(problem: Problem) -> int:
    """How many messages wait in all topics of a problem: offsets, of which markers of transactions are some, too.

    Raises:
        MillraceError: If none waits, and of one topic it cannot be told. Where others wait, they are taken in first.
    """
    found, failed = 0, None
    for topic in problem.topics:
        try:
            found += waiting_in(problem, topic).messages
        except (BrokenOffsetsError, topics.NoTopicError) as error:
            failed = error
    if found == 0 and failed is not None:
        raise failed
    return found


def backlog(problem: Problem, topic: str) -> Backlog:
    """How much waits in a topic, and since when. Raises as `waiting_in` does."""
    part = waiting_in(problem, topic)
    return Backlog(part.messages, topics.oldest_at(part), part.start, part.end)


def firing(problem: Problem, *, now: float) -> Firing | None:
    """Why an ingestion is to start: so much waits, or for so long; or one must say what a person has to decide.

    Raises:
        MillraceError: If broker or lake do not answer, or a topic is not there, and no other asks for anything.
    """
    found: list[Firing] = []
    missing: MillraceError | None = None
    for topic in problem.topics:
        try:
            one = _firing(problem, topic, now)
        except topics.NoTopicError as error:
            missing = error
        else:
            found += [one] if one else []
    if missing is not None and not found:
        raise missing
    return together(found)


def _firing(problem: Problem, topic: str, now: float) -> Firing | None:
    try:
        found = backlog(problem, topic)
    except BrokenOffsetsError as error:
        why = f"{error.problem} ({error.place}): {error.fix}"
        return Firing(why, why, {}, 0)
    why_now = reason(found, problem.topics[topic], now=now)
    if why_now is None:
        return None
    start = ", ".join(f"{offset} of partition {partition}" for partition, offset in sorted(found.start.items()))
    places = {(topic, partition): offset for partition, offset in found.start.items()}
    return Firing(why_now, f"messages wait in topic {topic} from offset {start} on", places, found.rows)
