"""Watches a landing prefix from the triggerer and says when files are there that bronze does not know."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

Files = frozenset[tuple[str, str, datetime]]
"""Paths, ETags and times of modification: a file that is put back lands again, under an ETag that was there before."""


class LandingTrigger(BaseEventTrigger):
    """Yields when new files appear, and again after `retry_seconds` while they are still not in bronze.

    A failed run must be tried again although nothing new appears, hence the repetition. Looking runs in a thread and
    holds no connection between looks, since many of these share the triggerer's one event loop.

    Args:
        problem: Name of the problem whose landing prefix is watched.
        poll_seconds: Pause between two looks, longer where a look itself takes long.
        retry_seconds: After this time, files that are still new are told again.
    """

    def __init__(self, problem: str, poll_seconds: float = 5.0, retry_seconds: float = 600.0) -> None:
        super().__init__()
        self.problem = problem
        self.poll_seconds = poll_seconds
        self.retry_seconds = retry_seconds
        self._known_to_bronze: Files = frozenset()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {
            "problem": self.problem,
            "poll_seconds": self.poll_seconds,
            "retry_seconds": self.retry_seconds,
        }
        return "millrace.orchestration.landing_trigger.LandingTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        told: Files = frozenset()
        told_at = 0.0
        while True:
            began = time.monotonic()
            found = await self._look()
            looked_for = time.monotonic() - began
            if found and (found != told or time.monotonic() - told_at > self.retry_seconds):
                told, told_at = found, time.monotonic()
                yield TriggerEvent({"new_files": len(found), "first": min(found)[0]})
            # A prefix of very many files takes seconds to list: at most a quarter of the time goes to looking.
            await asyncio.sleep(max(self.poll_seconds, 3 * looked_for))

    async def _look(self) -> Files:
        try:
            return await asyncio.to_thread(self._new_files)
        except Exception as error:  # noqa: BLE001 - a watcher that ends would be silent for ever; the next look tells
            self.log.warning("Cannot look for new files of %s: %s", self.problem, error)
            return frozenset()

    def _new_files(self) -> Files:
        # Imported here, in the thread: these imports would hold up every other trigger of the process.
        from millrace.contract.loading import get_problem
        from millrace.settings import get_settings
        from millrace.steps.landed_files import landed, new_files

        problem = get_problem(self.problem, get_settings().problems_dir)
        listing = frozenset((file.path, file.etag, file.last_modified) for file in landed(problem))
        if listing == self._known_to_bronze:
            # Bronze forgets no file, so what it knew at the last look needs no reading of its markers again.
            return frozenset()
        found = frozenset((file.path, file.etag, file.last_modified) for file in new_files(problem))
        if not found:
            self._known_to_bronze = listing
        return found
