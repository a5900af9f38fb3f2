"""What a person at the command line is told, where nothing runs."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from millrace import cli
from millrace.adapters import champions, fleet
from millrace.adapters.champions import Champion, Transition
from millrace.contract.errors import MillraceError, VerdictError
from millrace.contract.loading import get_problem
from millrace.settings import ROOT
from millrace.steps.pending_models import refused_since
from millrace.steps.roll_back import roll_back

NOW = datetime.now(UTC)


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
    steps = [Transition(version, state, "gate", "auc", None, NOW) for version, state in states]
    monkeypatch.setattr(champions, "transitions", lambda _: steps)
    found = refused_since(get_problem("loan", ROOT / "include" / "problems"))
    assert (found is None) == (told is None)
    assert (told or "") in (found or "")


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
    monkeypatch.setattr(httpx, "post", answer(422, errors=errors))
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
    cli._tell(MillraceError("No", place=long, found="[red]", expected="[one, another]", fix="mend it"))
    told = capsys.readouterr().err
    assert long in told
    assert "[red]" in told
    assert "[one, another]" in told
