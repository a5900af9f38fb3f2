"""Commands about models: what serves, why, and changing it."""

import json
from collections.abc import Callable
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
        now += [words for words in (refused_since(each), *barred_versions(each)) if words]
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


def history(problem: AskedProblem = None) -> None:
    """Everything that happened to the versions of a problem's model, holds too: who, when, why, and the way out."""
    from millrace.steps.version_history import version_history

    table = Table(*(Column(words, overflow="fold") for words in ("when", "version", "state", "by", "reason")))
    for event in version_history(find_problem(problem)):
        versions = ", ".join(map(str, event.versions))
        table.add_row(f"{event.at:%Y-%m-%d %H:%M:%S}", versions, event.state, event.actor, escape(event.reason))
    console.print(table)


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
    """Put an earlier version back; the one that was live is barred until `millrace release`."""
    from millrace.steps.roll_back import roll_back

    console.print_json(data=roll_back(problem, to_version=to_version, actor=who(actor), reason=reason))


def release(
    problem: ProblemName,
    version: Annotated[int, typer.Argument(help="The version that a rollback barred.")],
    reason: Reason,
    actor: Actor = "",
) -> None:
    """Lift the hold that a rollback placed on a version: it may be deployed again."""
    from millrace.adapters import champions

    content_hash = champions.registration(problem, version)["content_hash"]
    lifted = champions.release(problem, content_hash, actor=who(actor), reason=reason)
    again = f"may be deployed again: start {names.dag_id(problem, 'deploy')} with version = {version}."
    told = again if lifted else "was not barred."
    console.print(f"Version {version} of {problem} {told}", soft_wrap=True)


def reproduce(
    problem: ProblemName,
    version: Annotated[int, typer.Argument(help="Registered version.")],
) -> None:
    """Refit a version from its recorded configuration on its tagged gold, and compare the content hash."""
    from millrace.steps.reproduce import reproduce as run

    console.print_json(data=run(find_problem(problem).problem, version))
