"""The demo from end to end: rows come for each problem, all are followed until served, some go on changing, and what
happened is told."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from millrace.adapters.airflow_api import AirflowApi
from millrace.contract.errors import MillraceError
from millrace.contract.loading import get_problem, load_problems
from millrace.contract.problem import Problem
from millrace.demo.arrival import Arrived, bring_real, bring_simulated
from millrace.demo.changes import play_live_changes
from millrace.demo.follow import Journey, advance
from millrace.demo.summary import print_summary
from millrace.settings import get_settings
from millrace.simulation.files import match_real_files

DEADLINE_SECONDS = 1_500
LOOK_EVERY_SECONDS = 1.0


SHORT = ("diabetes", "loan")
"""What a demo takes if nobody says: two problems show all there is to see, and each more takes a minute."""


def run_demo(names: Sequence[str], data: Path | None, console: Console) -> int:
    """Run the demo; returns the exit code: 0 only if every stage of every problem succeeded and rows add up.

    Args:
        names: The problems to take; empty: those of `SHORT`, or all where there is none of them.
        data: Folder of real files; None: simulated ones.
    """
    problems = _problems(names, data)
    api = AirflowApi()
    started = datetime.now(UTC)
    console.print(f"[bold]Millrace demo[/]: {', '.join(p.title for p in problems)}. Watch it at {api.url}/dags")
    journeys, arrived = _follow_all(problems, data, api, console)
    ok = print_summary(problems, journeys, arrived, started, console)
    applications = [each.application for each in arrived.values() if each.application is not None]
    # What serves is told first: the changes take a minute more, and whoever watches may look at it meanwhile.
    return 0 if play_live_changes(applications, console) and ok else 1


def _problems(names: Sequence[str], data: Path | None) -> list[Problem]:
    folder = get_settings().problems_dir
    problems, errors = load_problems(folder)
    if errors and not names:
        raise errors[0]
    chosen = [get_problem(name, folder) for name in dict.fromkeys(names)]
    chosen = chosen or [problems[name] for name in SHORT if name in problems] or list(problems.values())
    if data is not None:
        match_real_files(data, chosen)  # a file that is lacking is told before anything is landed
    return chosen


def _follow_all(
    problems: list[Problem], data: Path | None, api: AirflowApi, console: Console
) -> tuple[list[Journey], dict[str, Arrived]]:
    journeys: list[Journey] = []
    arrived: dict[str, Arrived] = {}
    waiting = list(problems)
    deadline = time.monotonic() + DEADLINE_SECONDS
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while waiting or any(journey.stage for journey in journeys):
            # The next problem streams in once the one before has left the lake, so that the first is served early.
            if waiting and all(journey.stage in (None, "train", "deploy") for journey in journeys):
                problem = waiting.pop(0)
                since = datetime.now(UTC)
                arrived[problem.problem] = rows = bring_real(problem, data) if data else bring_simulated(problem)
                journeys.append(Journey(problem.problem, rows.stage, since))
            for journey in journeys:
                before = journey.note
                advance(journey, api)
                if not console.is_terminal and journey.note != before:
                    console.print(f"{journey.seconds:6.1f} s  {journey.problem}: {journey.note}")
            live.update(_picture(journeys, waiting))
            if time.monotonic() > deadline:
                raise _too_late(journeys, api)
            time.sleep(LOOK_EVERY_SECONDS)
    return journeys, arrived


def _picture(journeys: list[Journey], waiting: list[Problem]) -> Table:
    table = Table.grid(padding=(0, 2))
    for journey in journeys:
        marks = " ".join(
            f"[green]● {stage}[/]" if stage in journey.runs else f"[dim]○ {stage}[/]" for stage in journey.stages
        )
        spinner = Spinner("dots", text=journey.note) if journey.stage else "[green]served[/]"
        table.add_row(f"[bold]{journey.problem}[/]", f"{journey.seconds:5.0f} s", marks, spinner)
    for problem in waiting:
        table.add_row(f"[dim]{problem.problem}[/]", "", "", "[dim]follows[/]")
    return table


def _too_late(journeys: list[Journey], api: AirflowApi) -> MillraceError:
    behind = "; ".join(f"{journey.problem} in {journey.note}" for journey in journeys if journey.stage)
    return MillraceError(
        "The demo did not end in time",
        place=f"{api.url}/dags",
        found=behind,
        expected=f"every stage within {DEADLINE_SECONDS} seconds",
        fix="`make status` shows whether a service is down; the runs go on: `millrace status` tells when they end",
    )
