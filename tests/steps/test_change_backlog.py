"""What waits, while runs are published and messages come between one question and the next."""

from itertools import count

import pytest

from millrace.contract.loading import get_problem
from millrace.domain.change_offsets import Recorded, TopicState
from millrace.settings import ROOT
from millrace.steps import change_backlog

LOAN = get_problem("loan", ROOT / "include" / "problems")
TOPIC = str(LOAN.change_topic)


def test_a_run_that_is_published_while_one_looks_is_no_topic_that_lost_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever came is in bronze at once, so that each question has another answer than the one before."""
    clock = count(100)
    monkeypatch.setattr(change_backlog, "recorded_offsets", lambda *_: {TOPIC: Recorded("one", {0: next(clock)})})
    monkeypatch.setattr(
        change_backlog.topics, "state", lambda topic: TopicState(topic, "one", {0: 0}, {0: next(clock)})
    )
    assert change_backlog.waiting_changes(LOAN).messages == 1
