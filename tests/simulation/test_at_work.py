"""Whether what an application did has come is judged by keys that were never there before."""

import pyarrow as pa
import pytest

from millrace.adapters import lake
from millrace.domain.row_keys import row_key
from millrace.simulation.at_work import AtWork, repeated
from tests.steps.transforming import problem_named, with_changes

PROBLEM = with_changes(problem_named("at_work"), {})


def test_a_key_that_comes_again_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silver keeps deleted keys: a row inserted again under one looked as if it had come (seen)."""
    application = AtWork(PROBLEM, seed=1)
    ever = application.played.world.ever
    ever += [("a",), ("b",)]
    held = pa.table({"row_key": [row_key(PROBLEM.source, ("a",))]})
    monkeypatch.setattr(lake, "table_exists", lambda _: True)
    monkeypatch.setattr(lake, "read", lambda *_, **__: held)
    assert application.came()
    ever += [("a",)]
    assert not application.came(since=2)
    ever += [("c",)]
    held = pa.table({"row_key": [row_key(PROBLEM.source, (key,)) for key in "ac"]})
    assert application.came(since=2)


def test_a_message_is_repeated_by_topic_partition_and_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "table_exists", lambda _: True)
    found = {"topic": ["t", "t", "u", "t"], "partition": [0, 0, 0, 0], "offset": [1, 2, 1, 2]}
    monkeypatch.setattr(lake, "read", lambda *_, **__: pa.table(found))
    assert repeated(PROBLEM) == 1
