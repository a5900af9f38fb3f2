"""Which version led when: from one move to the next, with the gap that a withdrawal leaves."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from millrace import cli
from millrace.adapters import champions
from millrace.adapters.reigns import leading, reigns
from millrace.cli import models
from millrace.contract.errors import MillraceError
from millrace.contract.loading import get_problem
from millrace.settings import ROOT
from tests.control_rows import forget, throwaway_problem

pytestmark = pytest.mark.stack


@pytest.fixture
def problem() -> Iterator[str]:
    """Version 1, then 2, then none, then 1 again, which leads still."""
    name = throwaway_problem()
    for version, generation in ((1, 0), (2, 1)):
        move(name, version, generation)
    champions.withdraw(name, expected_generation=2, actor="ann", reason="it proved bad")
    move(name, 1, 0)
    yield name
    forget(name)


def move(problem: str, version: int, expected_generation: int) -> None:
    champions.move(
        problem,
        version=version,
        uri="s3://m/x/",
        content_hash=f"hash-{version}",
        expected_generation=expected_generation,
        actor="deploy",
        reason=f"after {expected_generation}",
    )


def test_each_reign_ends_where_the_next_begins_or_where_it_was_withdrawn(problem: str) -> None:
    last, second, first = reigns(problem)
    assert [(one.version, one.generation, one.reason) for one in (first, second, last)] == [
        (1, 1, "after 0"),
        (2, 2, "after 1"),
        (1, 3, "after 0"),
    ]
    assert first.until == second.since
    withdrawn = next(step for step in champions.transitions(problem, 2) if step.state == "retired")
    assert second.until == withdrawn.at
    assert second.until < last.since
    assert last.until is None
    assert reigns(problem, last=1) == [last]


def test_at_any_past_time_it_is_known_who_led(problem: str) -> None:
    found = reigns(problem)
    last, second, first = found
    moment = timedelta(microseconds=1)
    assert second.until is not None
    assert leading(found, first.since - moment) is None
    assert leading(found, first.since) == first
    assert leading(found, second.since - moment) == first
    assert leading(found, second.since) == second
    assert leading(found, second.until) is None
    assert leading(found, last.since + timedelta(days=900)) == last


def test_without_a_champion_nobody_ever_led() -> None:
    assert reigns(throwaway_problem()) == []


def test_the_command_tells_who_led_from_when_to_when_and_why(problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = get_problem("diabetes", ROOT / "include" / "problems")
    monkeypatch.setattr(models, "find_problem", lambda name: shipped.model_copy(update={"problem": name}))

    def asked(at: str) -> str:
        return CliRunner().invoke(cli.app, ["history", problem, "--at", at], catch_exceptions=False).output

    last, second, _ = reigns(problem)
    told = asked(second.since.isoformat())
    assert f"version 2 of {problem} led (generation 2)" in told
    assert f"until {second.until:%Y-%m-%d %H:%M:%S} UTC" in told
    assert "Put in force by deploy: after 1" in told
    assert "leads still" in asked(last.since.isoformat())
    assert "had no champion; its first one came into force" in asked("2001-01-01T00:00Z")
    with pytest.raises(MillraceError) as refused:
        asked("yesterday")
    assert refused.value.place == "option --at"
