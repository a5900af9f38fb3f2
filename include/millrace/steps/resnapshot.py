"""Every row of a followed table read once more, while changes go on; and the way out of what was lost in between.

Three levels, each only where the one before does not do: a signal to the connector; offsets that bronze gives up; a
connector that is begun anew, which is asked of the keeper, for nobody else may drop a slot.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from millrace.adapters import keeper_report, source_database, topics
from millrace.adapters.snapshot_news import News, SnapshotNews
from millrace.contract import names
from millrace.contract.changes import POSITION_GONE
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.steps.give_up_offsets import give_up, to_give_up

Say = Callable[[str], None]
T = TypeVar("T")
LOOK_SECONDS = 0.5
TOPIC_SECONDS = 60.0
"""The keeper makes a topic that is missing, within a look or two."""
ANSWER_SECONDS = 180.0
"""A connector that fails takes a while to stop."""
HEARD_SECONDS = 20.0
"""After which a signal is taken for lost: one that came right after a registration was once not heard."""
SIGNALS = 6
SILENCE_SECONDS = 600.0
"""Each thousand rows are told."""
DELETIONS_GONE = "among the messages that are gone may be the deletion of a row, which only a whole new reading tells"


@dataclass(frozen=True)
class Needed:
    """What a resnapshot has to mend first: why the connector must be begun anew, and offsets that must be given up."""

    anew: str | None
    given_up: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """`rows` that the connector counted, where it told so."""

    rows: int | None
    given_up: tuple[str, ...]
    anew: str | None


def needed(problem: Problem, *, say: Say) -> Needed:
    """Looks, and changes nothing.

    Raises:
        MillraceError: If the problem follows no table, or broker, source database or lake do not answer.
    """
    if problem.change_topic is None:
        raise MillraceError(
            f"{problem.problem} follows no table",
            place=f"include/problems/{problem.problem}.yaml",
            found="a source without a section `changes`",
            expected="a source whose table is followed",
            fix="say `changes: {}` of the source, or land its files again: they are read anew by themselves. A topic of"
            " producers goes on with `millrace resume`",
        )
    anew = _why_anew(problem)
    topic = _await(lambda: _topic_is_there(problem), TOPIC_SECONDS, lambda: say("the topic is made"))
    if topic is None:
        topics.state(str(problem.change_topic))  # raises, and says what is missing
    given_up = to_give_up(problem, str(problem.change_topic))
    return Needed(anew or (DELETIONS_GONE if given_up else None), given_up)


def _why_anew(problem: Problem) -> str | None:
    """Why no signal can help. Not any failure: one with another cause goes on where it was when that is mended."""
    slot = source_database.slot(problem.problem)
    if slot is None:
        return "its slot is not there, so no change is kept for it"
    if slot.wal_status == "lost":
        return "its slot is lost, with log that was not read"
    said = keeper_report.missing(problem.problem) or ""
    return "it failed, and its position is before what its slot kept" if POSITION_GONE in said else None


def resnapshot(problem: Problem, *, anew: bool, say: Say) -> Done:
    """Has every row read once more, and waits until that is done.

    The connector is heard first, then offsets are given up: killed in between, bronze still says that it cannot go on,
    and the same command mends it. Killed later, the connector reads on.

    Args:
        anew: Begin the connector anew, with another slot: what it has not read is lost, deletions too.

    Raises:
        MillraceError: If keeper or connector do not do what they are asked within minutes.
    """
    news = SnapshotNews(problem.problem)
    answer = _begin_anew(problem, say) if anew else None
    ours = None if anew else _heard(problem, news, say)
    given_up = give_up_offsets(problem)
    return Done(_every_row(problem, news, ours, say), given_up, answer)


def give_up_offsets(problem: Problem) -> tuple[str, ...]:
    """What is given up of the topic of a problem's changes; see `give_up`."""
    return give_up(problem, str(problem.change_topic))


def _topic_is_there(problem: Problem) -> bool:
    try:
        topics.state(str(problem.change_topic))
    except topics.NoTopicError:
        return False
    return True


def _begin_anew(problem: Problem, say: Say) -> str:
    request = source_database.ask_anew(problem.problem)
    say("the service connectors removes connector and slot, and registers anew")
    answer = _await(lambda: source_database.answer(request), ANSWER_SECONDS)
    if answer is None:
        raise MillraceError(
            f"The connector of {problem.problem} was not begun anew",
            place=f"request {request} in {names.CONNECTOR_REQUESTS} of the source database",
            found=_connector_words(problem),
            expected=f"an answer of the service connectors within {ANSWER_SECONDS:.0f} s",
            fix="`make status` and `make logs SERVICE=connectors` say more; the request stays, "
            "and is done when it can be",
        )
    return answer


def _heard(problem: Problem, news: SnapshotNews, say: Say) -> set[str]:
    """Sends the signal until the connector tells of it; the ids of all that were sent."""
    ours: set[str] = set()
    for attempt in range(1, SIGNALS + 1):
        ours.add(source_database.ask_snapshot(problem.problem, str(problem.change_table)))
        say("a signal was sent" + (f", number {attempt}: none was heard yet" if attempt > 1 else ""))
        if _await(lambda: any(one.signal in ours for one in news.look()), HEARD_SECONDS):
            return ours
    raise MillraceError(
        f"The connector of {problem.problem} hears no signal",
        place=f"table {names.signal_table(problem.problem)} of the source database",
        found=_connector_words(problem),
        expected=f"that a snapshot begins within {HEARD_SECONDS:.0f} s of a signal; {SIGNALS} were sent",
        fix="mend what is named, and say it again; what no cause is found for, "
        f"`millrace resnapshot {problem.problem} --anew` begins anew",
    )


def _every_row(problem: Problem, news: SnapshotNews, ours: set[str] | None, say: Say) -> int | None:
    """Waits for the end of the snapshot; the rows that the connector counted."""
    seen = 0
    rows: int | None = None
    say("every row is read; changes go on meanwhile")
    # From the first one on: a small table's end was told together with its beginning.
    while told := _await(partial(_after, news, seen), SILENCE_SECONDS):
        seen += len(told)
        for one in told:
            if not (one.initial if ours is None else one.signal in ours):
                continue
            rows = one.rows if one.rows is not None else rows
            if one.kind == "COMPLETED":
                return rows
        if rows is not None:
            say(f"{rows:,} rows were read; changes go on meanwhile")
    raise MillraceError(
        f"The snapshot of {problem.problem} stands still",
        place=f"topic {news.topic}",
        found=f"nothing for {SILENCE_SECONDS:.0f} s; connector: {_connector_words(problem)}",
        expected="that it tells of each thousand rows, and of its end",
        fix="it goes on by itself when the connector does: `make status` names what is missing",
    )


def _after(news: SnapshotNews, seen: int) -> list[News]:
    return news.look()[seen:]


def _connector_words(problem: Problem) -> str:
    return keeper_report.missing(problem.problem) or "a connector that runs"


def _await(look: Callable[[], T], seconds: float, meanwhile: Callable[[], None] = lambda: None) -> T | None:
    """Looks until the answer is true in Python's sense; None after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            return None
        meanwhile()
        time.sleep(LOOK_SECONDS)
    return found
