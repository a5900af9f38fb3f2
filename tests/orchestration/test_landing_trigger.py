"""The watcher of a landing prefix tells every landing that bronze does not know."""

import asyncio
from datetime import UTC, datetime

import pytest
from airflow.triggers.base import TriggerEvent

from millrace.orchestration.landing_trigger import LandingTrigger
from millrace.steps.bronze_table import LandedFile


def test_a_file_that_is_put_back_between_two_looks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bronze knew A; B took its place and was ingested, and A is back before the watcher looked again."""
    first, back = (LandedFile("a.csv", "etag of A", 1, datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 3))
    listings = iter([[first], [back], [back]])
    news = iter([[], [back]])
    monkeypatch.setattr("millrace.contract.loading.get_problem", lambda *_: None)
    monkeypatch.setattr("millrace.steps.landed_files.landed", lambda _: next(listings, [back]))
    monkeypatch.setattr("millrace.steps.landed_files.new_files", lambda _: next(news, [back]))

    async def first_event() -> TriggerEvent:
        return await anext(LandingTrigger("diabetes", poll_seconds=0.01).run())

    event = asyncio.run(asyncio.wait_for(first_event(), timeout=60))
    assert event.payload == {"new_files": 1, "first": "a.csv"}
