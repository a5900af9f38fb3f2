"""Watches a problem's topics from the triggerer and says when enough waits that bronze does not hold."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from millrace.domain.backlog import Firing, Told, is_to_be_told


class BacklogTrigger(BaseEventTrigger):
    """Yields when a backlog has enough messages or an old enough one, by the contract's `changes` or `topic`, or when
    what waits cannot be told for sure; and again when a run took some and left the rest, or after `retry_seconds`.

    A failed run must be tried again although nothing was mended as far as one can see, hence the repetition. Looking
    runs in a thread, and asks no database while it waits: it compares the topics' last stable offsets with those that
    bronze recorded.

    Args:
        problem: Name of the problem whose topics are watched.
        poll_seconds: Pause between two looks, longer where a look itself takes long.
    """

    def __init__(self, problem: str, poll_seconds: float = 2.0) -> None:
        super().__init__()
        self.problem = problem
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {"problem": self.problem, "poll_seconds": self.poll_seconds}
        return "millrace.orchestration.backlog_trigger.BacklogTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        last: Told | None = None
        while True:
            began = time.monotonic()
            found = await self._look(last)
            looked_for = time.monotonic() - began
            if found is not None:
                last = Told(found.start, time.time())
                yield TriggerEvent({"messages": found.rows, "why": found.why})
            # A broker that does not answer is asked until its patience ends: at most a quarter of the time goes to it.
            await asyncio.sleep(max(self.poll_seconds, 3 * looked_for))

    async def _look(self, last: Told | None) -> Firing | None:
        try:
            return await asyncio.to_thread(self._firing, last)
        except Exception as error:  # noqa: BLE001 - a watcher that ends would be silent for ever; the next look tells
            self.log.warning("Cannot look into the topics of %s: %s", self.problem, error)
            return None

    def _firing(self, last: Told | None) -> Firing | None:
        # Imported here, in the thread: these imports would hold up every other trigger of the process.
        from millrace.contract.loading import get_problem
        from millrace.settings import get_settings
        from millrace.steps.change_backlog import firing

        problem = get_problem(self.problem, get_settings().problems_dir)
        if not problem.topics:  # the section went; the DAG, and this watcher, go with it
            return None
        now, retry_seconds = time.time(), min(intake.retry_seconds for intake in problem.topics.values())
        found = firing(problem, now=now)
        return found if found and is_to_be_told(found, last, now=now, retry_seconds=retry_seconds) else None
