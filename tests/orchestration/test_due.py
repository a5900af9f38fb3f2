"""Which runs reconcile starts, whatever a look at one problem does."""

from types import SimpleNamespace

import pytest

from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.orchestration import due
from millrace.settings import ROOT


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
