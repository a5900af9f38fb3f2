"""The watcher of a topic tells what waits, and what cannot be told, once until a run took something in."""

import asyncio
from collections.abc import Iterator

import pytest
from airflow.triggers.base import TriggerEvent

from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.domain.backlog import Backlog
from millrace.domain.change_offsets import BrokenOffsetsError
from millrace.orchestration.backlog_trigger import BacklogTrigger
from millrace.settings import ROOT
from millrace.steps import change_backlog

BROKEN = BrokenOffsetsError("The topic is another one", place="topic", found="two", expected="one", fix="resnapshot")


def events(looks: list[Backlog | Exception], count: int, monkeypatch: pytest.MonkeyPatch) -> list[TriggerEvent]:
    """The first events of a watcher that sees one after the other, and then the last for ever."""
    loan = get_problem("loan", ROOT / "include" / "problems")
    seen: Iterator[Backlog | Exception] = iter(looks)

    def backlog(_problem: Problem, _topic: str) -> Backlog:
        found = next(seen, looks[-1])
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr("millrace.contract.loading.get_problem", lambda *_: loan)
    monkeypatch.setattr(change_backlog, "backlog", backlog)

    async def first() -> list[TriggerEvent]:
        watcher = BacklogTrigger("loan", poll_seconds=0.001).run()
        return [await anext(watcher) for _ in range(count)]

    return asyncio.run(asyncio.wait_for(first(), timeout=60))


def waits(rows: int, start: int) -> Backlog:
    return Backlog(rows=rows, oldest_at=1.0, start={0: start}, end={0: start + rows})


def test_what_comes_while_no_run_takes_anything_in_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Backlog | Exception] = [*(waits(rows, 0) for rows in range(1, 9)), waits(3, 8)]
    assert [event.payload["messages"] for event in events(looks, 2, monkeypatch)] == [1, 3]


def test_offsets_that_cannot_be_told_start_a_run_once_and_what_follows_them_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = events([OSError("away"), BROKEN, BROKEN, OSError("away"), BROKEN, waits(5, 0)], 2, monkeypatch)
    assert [event.payload["messages"] for event in found] == [0, 5]
    assert "resnapshot" in found[0].payload["why"]
