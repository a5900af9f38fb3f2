"""Commands about models: what serves, why, and changing it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from millrace.cli.changes import changes_table, topics_table
from millrace.cli.extracts import extracts_table
from millrace.cli.terminal import Actor, AskedProblem, ProblemName, Reason, console, find_problem, who
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.loading import load_problems
from millrace.contract.problem import Problem
from millrace.settings import get_settings


def status(
    problem: Annotated[str | None, typer.Argument(help="One problem; default: all.")] = None,
) -> None:
    """What each problem serves, which stages run or are behind, what bars a version, how far changes have come."""
    problems = [find_problem(problem)] if problem else list(load_problems(get_settings().problems_dir)[0].values())
    try:
        console.print(_problems_table(problems))
    except MillraceError as error:
        # Champions and catalog are one server's: how far changes have come is known without it, in part.
        console.print(
            f"[yellow]What is served and behind is not known:[/] {escape(error.problem)}; {escape(error.fix)}"
        )
    for table in (changes_table(problems, warehouse=problem is None), topics_table(problems), extracts_table(problems)):
        if table:
            console.print(table)


def _problems_table(problems: list[Problem]) -> Table:
    from millrace.adapters import champions, lake
    from millrace.adapters.airflow_api import AirflowApi
    from millrace.steps.held import held
    from millrace.steps.pending import PENDING
    from millrace.steps.version_history import barred_versions, refused_since

    lake.ping()
    try:
        under_way = AirflowApi().under_way()
    except MillraceError as error:
        # Everything else is known without it.
        under_way = {}
        console.print(f"[yellow]Which stages run is not known:[/] {escape(error.problem)}; {escape(error.fix)}")
    table = Table("problem", "champion", "since", Column("now", overflow="fold"))
    for each in problems:
        champion = champions.current(each.problem)
        runs = {stage: under_way.get(names.dag_id(each.problem, stage)) for stage in each.stages}
        now = [f"{stage}: running since {run.start:%H:%M:%S} UTC" for stage, run in runs.items() if run and run.start]
        now += [words for stage, check in PENDING.items() if (words := _pending(stage, check, each))]
        now += [words for words in (refused_since(each), held(each.problem), *barred_versions(each)) if words]
        version = f"version {champion.version}" if champion else "none yet"
        since = f"{champion.moved_at:%Y-%m-%d %H:%M}" if champion else ""
        table.add_row(each.problem, version, since, escape("\n".join(now)) or "nothing pending")
    return table


def _pending(stage: str, check: Callable[[Problem], str | None], problem: Problem) -> str | None:
    """Why a stage is behind, or that this is not known: what does not answer must hide none of the others."""
    try:
        why = check(problem)
    except MillraceError as error:
        return f"{stage}: not known, {error.problem}; {error.fix}"
    return f"{stage}: pending, {why}" if why else None


def history(
    problem: AskedProblem = None,
    at: Annotated[str, typer.Option(help="Which version led at this time, such as 2026-11-30T12:00Z; UTC.")] = "",
) -> None:
    """Everything that happened to the versions of a problem's model, holds too: who, when, why, and the way out."""
    from millrace.steps.version_history import version_history

    if at:
        console.print(_led(find_problem(problem).problem, _time(at)), highlight=False, soft_wrap=True)
        return
    table = Table(*(Column(words, overflow="fold") for words in ("when", "version", "state", "by", "reason")))
    for event in version_history(find_problem(problem)):
        versions = ", ".join(map(str, event.versions)) or "all"
        table.add_row(f"{event.at:%Y-%m-%d %H:%M:%S}", versions, event.state, event.actor, escape(event.reason))
    console.print(table)


def _led(problem: str, moment: datetime) -> str:
    from millrace.adapters.reigns import leading, reigns

    found = reigns(problem)
    led, told = leading(found, moment), f"At {moment:%Y-%m-%d %H:%M:%S} UTC"
    if led is None:
        first = f"; its first one came into force at {found[-1].since:%Y-%m-%d %H:%M:%S} UTC" if found else ""
        return f"{told} {problem} had no champion{first}."
    until = f"until {led.until:%Y-%m-%d %H:%M:%S} UTC" if led.until else "and leads still"
    return (
        f"{told} version {led.version} of {problem} led (generation {led.generation}): from"
        f" {led.since:%Y-%m-%d %H:%M:%S} UTC {until}. Put in force by {led.actor}: {escape(led.reason)}"
    )


def _time(text: str) -> datetime:
    from millrace.domain.times import as_timestamp

    try:
        return as_timestamp(text).astimezone(UTC)
    except ValueError as error:
        raise MillraceError(
            "This is no time",
            place="option --at",
            found=text,
            expected="an ISO 8601 time such as 2026-11-30T12:00:00Z, UTC unless it says otherwise",
            fix="write date and time, with a T between them",
        ) from error


def predict(
    problem: ProblemName,
    row: Annotated[str, typer.Argument(help="One row as JSON, such as '{\"Age\": 40, …}'.")],
) -> None:
    """Ask the served champion about one row."""
    from millrace.adapters import fleet

    try:
        content = json.loads(row)
    except json.JSONDecodeError as error:
        raise MillraceError(
            "The row is not JSON",
            place="argument ROW",
            found=str(error),
            expected='an object such as {"Age": 40}',
            fix="quote the whole row with single quotes in the shell",
        ) from error
    console.print_json(data=fleet.predict(fleet.replicas()[0], problem, [content]))


def train(problem: ProblemName) -> None:
    """Start a training now, whether or not one is due (DAG run of stage 5; the rest follows by itself)."""
    _start(problem, "train", {"force": True})


def deploy(
    problem: ProblemName,
    version: Annotated[int | None, typer.Argument(help="Default: the newest that passed the gate.")] = None,
) -> None:
    """Put a version in force on every replica (DAG run of stage 6)."""
    _start(problem, "deploy", {"version": version})


def _start(problem: str, stage: str, params: dict[str, object]) -> None:
    from millrace.adapters.airflow_api import AirflowApi

    api, dag_id = AirflowApi(), names.dag_id(find_problem(problem).problem, stage)
    run_id = api.trigger(dag_id, params)
    console.print(f"started: {api.url}/dags/{dag_id}/runs/{run_id}", soft_wrap=True)


def rollback(
    problem: ProblemName,
    reason: Reason,
    actor: Actor = "",
    to_version: Annotated[int | None, typer.Option(help="Default: the champion before this one.")] = None,
) -> None:
    """Put an earlier version back; what was live is barred, and nothing is promoted until `millrace release`."""
    from millrace.steps.roll_back import roll_back

    console.print_json(data=roll_back(problem, to_version=to_version, actor=who(actor), reason=reason))


def release(
    problem: ProblemName,
    reason: Reason,
    version: Annotated[int | None, typer.Argument(help="Lift the bar of this version's content instead.")] = None,
    actor: Actor = "",
) -> None:
    """End the hold that a rollback placed on a problem; with a version, lift the bar that it placed on that content."""
    told = _release_problem if version is None else partial(_release_content, version=version)
    for line in told(problem, actor=who(actor), reason=reason):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _release_problem(problem: str, *, actor: str, reason: str) -> list[str]:
    from millrace.adapters import problem_holds
    from millrace.steps.version_history import barred_versions

    name = find_problem(problem)
    lifted = problem_holds.release(name.problem, actor=actor, reason=reason)
    again = "is held no more: the next version that passes its gate is deployed by itself."
    told = [f"{name.problem} {again if lifted else 'was not held.'}"]
    barred = barred_versions(name)
    return told + [f"Still so: {one}. `millrace release {name.problem} <version>` lifts it." for one in barred]


def _release_content(problem: str, *, version: int, actor: str, reason: str) -> list[str]:
    from millrace.adapters import champions
    from millrace.steps.held import held

    content_hash = champions.registration(problem, version)["content_hash"]
    lifted = champions.release(problem, content_hash, actor=actor, reason=reason)
    again = f"may be deployed again: `millrace deploy {problem} {version}`."
    told = [f"Version {version} of {problem} {again if lifted else 'was not barred.'}"]
    return told + [f"{problem} is {why}." for why in [held(problem)] if why]


def reproduce(
    problem: ProblemName,
    version: Annotated[int, typer.Argument(help="Registered version.")],
) -> None:
    """Refit a version from its recorded configuration on its tagged gold, and compare the content hash."""
    from millrace.steps.reproduce import reproduce as run

    console.print_json(data=run(find_problem(problem).problem, version))
