"""What a person at the command line is told, where nothing runs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from millrace import cli
from millrace.adapters import airflow_api, champions, fleet, lake, problem_holds
from millrace.adapters.airflow_api import Run
from millrace.adapters.champions import Champion, Hold, Transition
from millrace.adapters.problem_holds import ProblemHold
from millrace.cli import models, terminal
from millrace.contract.errors import MillraceError, VerdictError
from millrace.contract.loading import get_problem
from millrace.domain.promotion import judge, way_out
from millrace.settings import ROOT
from millrace.steps import pending
from millrace.steps.roll_back import roll_back
from millrace.steps.version_history import barred_versions, refused_since, version_history
from tests.domain.test_promotion import GATE, evidence, group

NOW = datetime.now(UTC)
PROBLEMS = ROOT / "include" / "problems"
LOAN = get_problem("loan", PROBLEMS)
CONTENTS = ((1, "a"), (2, "b"), (3, "a"))


def champion(version: int, content: str) -> Champion:
    return Champion("small", version, "s3://m", content, version, None, "deploy", "run", NOW, None)


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([], None),
        ([(1, "registered"), (1, "refused")], "version 1 was refused"),
        ([(1, "registered"), (1, "refused"), (2, "registered")], None),
        ([(1, "passed"), (1, "champion"), (2, "registered"), (2, "refused"), (1, "champion")], "version 2 was refused"),
    ],
)
def test_a_refused_newest_version_is_told(
    monkeypatch: pytest.MonkeyPatch, states: list[tuple[int, Any]], told: str | None
) -> None:
    steps = [Transition(version, state, "gate", "auc: 0.5", None, NOW) for version, state in states]
    monkeypatch.setattr(champions, "transitions", lambda _: steps)
    found = refused_since(LOAN)
    assert (found is None) == (told is None)
    assert (told or "") in (found or "")


def test_a_refusal_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    conditions = [{"name": name, "passed": name == "auc"} for name in ("auc", "latency", "group:Age=below 30")]
    by_gate = Transition(1, "refused", "gate", "latency: 9, limit 5", {"conditions": conditions}, NOW)
    by_deploy = Transition(2, "refused", "deploy", "model.onnx is damaged", {"found": "x"}, NOW)
    monkeypatch.setattr(champions, "transitions", lambda _: [by_gate, by_deploy])
    monkeypatch.setattr(champions, "holds", lambda _: [])
    monkeypatch.setattr(problem_holds, "every", lambda _: [])
    first, second = version_history(LOAN)
    assert "gate.max_latency_ms" in first.reason
    assert "max_gap" in first.reason
    assert "min_auc" not in first.reason
    assert second.reason == "model.onnx is damaged → `millrace train loan`"


def test_every_condition_of_the_gate_has_a_way_out() -> None:
    assert all(way_out([condition.name]) for condition in judge(GATE, evidence(groups=(group(0.06, judged=True),))))


def test_holds_are_told_by_the_versions_that_they_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    registered = [Transition(n, "registered", "train", "trained", {"content_hash": c}, NOW) for n, c in CONTENTS]
    monkeypatch.setattr(champions, "transitions", lambda _: registered)
    ended = Hold("b", "bob", "too low", NOW, "ann", "it was the data", NOW + timedelta(hours=1))
    of_all = ProblemHold("bob", "too low", NOW, "eve", "a new model waits", NOW + timedelta(hours=2))
    monkeypatch.setattr(problem_holds, "every", lambda _: [of_all])
    monkeypatch.setattr(
        champions, "holds", lambda _: [ended, Hold("a", "ann", "wrong for the young", NOW, None, None, None)]
    )
    assert barred_versions(LOAN) == ["version 1, 3 is barred by ann: wrong for the young"]
    told = [(event.versions, event.state, event.actor, event.reason) for event in version_history(LOAN)]
    assert told[3:] == [
        ((2,), "barred", "bob", "too low"),
        ((1, 3), "barred", "ann", "wrong for the young"),
        ((), "held", "bob", "too low"),
        ((2,), "released", "ann", "it was the data"),
        ((), "released", "eve", "a new model waits"),
    ]


@pytest.mark.parametrize("command", ["history", "quarantine"])
def test_without_a_problem_the_error_lists_them(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "get_settings", lambda: SimpleNamespace(problems_dir=PROBLEMS))
    done = CliRunner().invoke(cli.app, [command])
    assert isinstance(done.exception, MillraceError)
    assert "diabetes" in done.exception.expected
    assert "loan" in done.exception.expected


def test_status_tells_what_runs_and_says_so_where_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run("loan__train", "r", "running", NOW, NOW, None)
    monkeypatch.setattr(models, "get_settings", lambda: SimpleNamespace(problems_dir=PROBLEMS))
    monkeypatch.setattr(terminal, "get_settings", lambda: SimpleNamespace(problems_dir=PROBLEMS))
    monkeypatch.setattr(pending, "PENDING", {"deploy": lambda _: "version 2 passed the gate"})
    monkeypatch.setattr(champions, "current", lambda _: champion(1, "a"))
    monkeypatch.setattr(champions, "transitions", lambda _: [])
    monkeypatch.setattr(champions, "holds", lambda _: [])
    monkeypatch.setattr(problem_holds, "every", lambda _: [])
    monkeypatch.setattr(airflow_api, "AirflowApi", lambda: SimpleNamespace(under_way=lambda: {"loan__train": run}))
    monkeypatch.setattr(lake, "ping", lambda: None)
    monkeypatch.setattr(models, "changes_table", lambda _, **_more: None)
    monkeypatch.setenv("COLUMNS", "200")
    told = CliRunner().invoke(cli.app, ["status", "loan"], catch_exceptions=False).output
    assert f"train: running since {NOW:%H:%M:%S} UTC" in told
    assert "deploy: pending, version 2 passed the gate" in told

    hold = ProblemHold("ann", "wrong for the young", NOW, None, None, None)
    monkeypatch.setattr(problem_holds, "every", lambda _: [hold])
    told = " ".join(CliRunner().invoke(cli.app, ["status", "loan"], catch_exceptions=False).output.split())
    assert f"held by ann since {NOW:%Y-%m-%d %H:%M} UTC because: wrong for the young" in told
    assert "`millrace release loan`" in told

    def away() -> None:
        raise MillraceError("Airflow's API does not answer", place="", found="", expected="", fix="`make up`")

    monkeypatch.setattr(airflow_api, "AirflowApi", away)
    told = CliRunner().invoke(cli.app, ["status", "loan"], catch_exceptions=False).output
    assert "Airflow's API does not answer; `make up`" in told
    assert "version 1" in told


@pytest.mark.parametrize(
    ("earlier", "barred", "found"),
    [
        ([], [], "version 2 and nothing before it"),
        ([champion(1, "b")], [], "version 1, which has the content of version 2"),
        ([champion(1, "a")], ["a"], "version 1, which is barred"),
    ],
)
def test_why_there_is_nothing_to_roll_back_to(
    monkeypatch: pytest.MonkeyPatch, earlier: list[Champion], barred: list[str], found: str
) -> None:
    live = champion(2, "b")
    monkeypatch.setattr(champions, "current", lambda _: live)
    monkeypatch.setattr(champions, "history", lambda _: [live, *earlier])
    monkeypatch.setattr(champions, "barred", lambda _, content: content if content in barred else None)
    with pytest.raises(VerdictError) as refused:
        roll_back("small", actor="ann", reason="wrong")
    assert refused.value.found == found


def answer(status: int, **body: Any) -> Callable[..., httpx.Response]:
    return lambda *_, **__: httpx.Response(status, json={"title": "No", "found": "x", "expected": "y", **body})


def test_a_refused_row_is_told_with_every_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [{"row": 0, "column": name, "found": "nothing", "expected": "a value"} for name in ("age", "size")]
    told = {"predictions": [{"row": 0, "errors": errors}], "rows_refused": 1}
    monkeypatch.setattr(httpx, "post", answer(200, **told))
    with pytest.raises(MillraceError) as refused:
        fleet.predict("http://replica", "small", [{}])
    assert "column age: nothing" in refused.value.found
    assert "column size: nothing" in refused.value.found


def test_a_problem_that_is_not_served_yet_leads_to_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "post", answer(404, errors=[]))
    with pytest.raises(MillraceError) as refused:
        fleet.predict("http://replica", "small", [{}])
    assert "`millrace status`" in refused.value.fix


@pytest.mark.parametrize("folder", [".", "nowhere"])
def test_a_folder_without_problems_is_no_success(tmp_path: Path, folder: str) -> None:
    done = CliRunner().invoke(cli.app, ["lint", str(tmp_path / folder)])
    assert done.exit_code == 1
    assert isinstance(done.exception, MillraceError)


def test_an_error_keeps_its_brackets_and_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    long = "/a/path/that/is/longer/than/any/terminal/is/wide/" + "x" * 100
    terminal.tell_error(MillraceError("No", place=long, found="[red]", expected="[one, another]", fix="mend it"))
    told = capsys.readouterr().err
    assert long in told
    assert "[red]" in told
    assert "[one, another]" in told
