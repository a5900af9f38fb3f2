"""The demo from end to end: land a file for each problem, follow all of them, then tell what happened."""

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
from millrace.demo.follow import STAGES, Journey, advance
from millrace.demo.landing import Landed, land_real, land_simulated
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
    journeys, landed = _follow_all(problems, data, api, console)
    return print_summary(problems, journeys, landed, started, console)


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
) -> tuple[list[Journey], dict[str, Landed]]:
    journeys: list[Journey] = []
    landed: dict[str, Landed] = {}
    waiting = list(problems)
    deadline = time.monotonic() + DEADLINE_SECONDS
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while waiting or any(journey.stage for journey in journeys):
            # The next problem streams in once the one before has left the lake, so that the first is served early.
            if waiting and all(journey.stage not in STAGES[:2] for journey in journeys):
                problem = waiting.pop(0)
                journeys.append(Journey(problem.problem, since=datetime.now(UTC)))
                landed[problem.problem] = land_real(problem, data) if data else land_simulated(problem)
            for journey in journeys:
                before = journey.note
                advance(journey, api)
                if not console.is_terminal and journey.note != before:
                    console.print(f"{journey.seconds:6.1f} s  {journey.problem}: {journey.note}")
            live.update(_picture(journeys, waiting))
            if time.monotonic() > deadline:
                raise _too_late(journeys, api)
            time.sleep(LOOK_EVERY_SECONDS)
    return journeys, landed


def _picture(journeys: list[Journey], waiting: list[Problem]) -> Table:
    table = Table.grid(padding=(0, 2))
    for journey in journeys:
        marks = " ".join(f"[green]● {stage}[/]" if stage in journey.runs else f"[dim]○ {stage}[/]" for stage in STAGES)
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
