"""Which runs reconcile starts, whatever a look at one problem does."""

from types import SimpleNamespace

import pytest

from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.domain.backlog import Backlog
from millrace.domain.change_offsets import BrokenOffsetsError
from millrace.orchestration import due
from millrace.settings import ROOT
from millrace.steps import change_backlog
from millrace.steps.pending import pending_ingest_changes


def test_a_problem_that_cannot_be_looked_at_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def pending(problem: Problem) -> str:
        if problem.problem == "diabetes":
            raise ConnectionError("no lake")
        return "behind"

    context = {"ti": SimpleNamespace(get_dr_count=lambda **_: 0)}
    monkeypatch.setattr(due, "get_current_context", lambda: context)
    monkeypatch.setattr(due, "PENDING", {"transform": pending})
    problems = [get_problem(name, ROOT / "include" / "problems") for name in ("diabetes", "loan")]
    found = due.due_runs(problems)
    assert [run["trigger_dag_id"] for run in found["due"]] == ["loan__transform"]
    assert found["unknown"] == ["transform of diabetes (ConnectionError)"]


def test_a_problem_that_is_held_is_named_and_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    context = {"ti": SimpleNamespace(get_dr_count=lambda **_: 0)}
    monkeypatch.setattr(due, "get_current_context", lambda: context)
    monkeypatch.setattr(due, "PENDING", {"train": lambda _: None, "deploy": lambda _: None})
    monkeypatch.setattr(due, "held", lambda name: f"held by ann; `millrace release {name}`")
    with caplog.at_level("INFO"):
        found = due.due_runs([get_problem("loan", ROOT / "include" / "problems")])
    assert found == {"due": [], "unknown": []}
    assert [record.getMessage() for record in caplog.records if "held by ann" in record.getMessage()] == [
        "Nothing of loan is deployed: it is held by ann; `millrace release loan`"
    ]


def level(monkeypatch: pytest.MonkeyPatch, found: Backlog | Exception) -> str:
    """The name of the run that is started for what waits, without its hour."""

    def backlog(_problem: Problem, _topic: str) -> Backlog:
        if isinstance(found, Exception):
            raise found
        return found

    context = {"ti": SimpleNamespace(get_dr_count=lambda **_: 0)}
    monkeypatch.setattr(due, "get_current_context", lambda: context)
    monkeypatch.setattr(due, "PENDING", {"ingest_changes": pending_ingest_changes})
    monkeypatch.setattr(change_backlog, "backlog", backlog)
    told = due.due_runs([get_problem("loan", ROOT / "include" / "problems")])
    assert told["unknown"] == []
    [run] = told["due"]
    return str(run["trigger_run_id"].rpartition("__")[2])


def test_a_backlog_that_only_grows_and_gets_older_is_one_level(monkeypatch: pytest.MonkeyPatch) -> None:
    first = level(monkeypatch, Backlog(rows=10, oldest_at=5.0, start={0: 7}, end={0: 17}))
    assert level(monkeypatch, Backlog(rows=9000, oldest_at=1.0, start={0: 7}, end={0: 9007})) == first
    assert level(monkeypatch, Backlog(rows=10, oldest_at=5.0, start={0: 8}, end={0: 18})) != first


def test_offsets_that_cannot_be_told_start_the_ingestion_which_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(earliest: int) -> BrokenOffsetsError:
        found = f"earliest offset {earliest}"
        return BrokenOffsetsError("Changes are gone", place="topic", found=found, expected="offset 3", fix="resnapshot")

    # What is gone grows; the level stays.
    assert level(monkeypatch, broken(5)) == level(monkeypatch, broken(9))
