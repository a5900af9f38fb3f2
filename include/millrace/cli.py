"""The command line: `millrace --help`."""

import getpass
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.loading import get_problem, json_schema, load_problems
from millrace.contract.problem import Problem
from millrace.settings import get_settings

app = typer.Typer(
    help="Tables that keep changing, turned into predictions that stay right.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
console = Console()
err = Console(stderr=True)

ProblemName = Annotated[
    str,
    typer.Argument(help="Name of a problem: the stem of its file in include/problems/."),
]


def _tell(error: MillraceError) -> None:
    # Not escaped, [a, b] within a message would be taken for markup; wrapped, a path could not be copied.
    err.print(f"[red]✗[/] {escape(str(error))}", highlight=False, soft_wrap=True)


def _problem(name: str) -> Problem:
    return get_problem(name, get_settings().problems_dir)


@app.command()
def lint(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder of problem files; default: include/problems."),
    ] = None,
) -> None:
    """Check every problem file; each mistake is told with its line, what was found and what would be valid."""
    problems, errors = load_problems(folder or get_settings().problems_dir)
    if not problems and not errors:
        raise MillraceError(
            "There is no problem file",
            place=str(folder or get_settings().problems_dir),
            found="no *.yaml" if (folder or get_settings().problems_dir).is_dir() else "no such folder",
            expected="a folder with one YAML file a problem",
            fix="docs/how-to/add-a-problem.md tells how to write one",
        )
    for name, problem in problems.items():
        console.print(f"[green]✓[/] {name}: {len(problem.columns())} columns, {len(problem.feature_nodes())} features")
    for error in errors:
        _tell(error)
    if errors:
        raise typer.Exit(1)


@app.command()
def schema(
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
) -> None:
    """The JSON Schema of a problem file, for editors (the first line of each problem file refers to it)."""
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    else:
        typer.echo(text, nl=False)


@app.command()
def simulate(
    problem: ProblemName,
    rows: Annotated[int, typer.Option(help="Rows, broken ones included.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 0,
    broken_share: Annotated[float, typer.Option(help="Share of rows broken in known ways.", min=0, max=1)] = 0.1,
    first_row: Annotated[
        int,
        typer.Option(help="Number of the first key, so that files do not overlap.", min=0),
    ] = 0,
    output: Annotated[Path | None, typer.Option(help="Write here instead of to the landing bucket.")] = None,
) -> None:
    """Make a raw file with a known truth and put it where the problem's files land."""
    from millrace.adapters import object_store
    from millrace.simulation.files import simulate_file

    contract = _problem(problem)
    file = simulate_file(contract, rows=rows, seed=seed, broken_share=broken_share, first_row=first_row)
    if output:
        output.write_bytes(file.content)
        place = str(output)
    else:
        key = f"{contract.landing_prefix}{problem}-{first_row:08d}-{seed}.csv"
        place = object_store.put_landing(key, file.content)
    console.print(f"{rows} rows ({file.valid_rows} valid) → {place}")


@app.command()
def land(
    problem: ProblemName,
    files: Annotated[list[Path], typer.Argument(help="CSV files.", exists=True, dir_okay=False)],
) -> None:
    """Put your own CSV files where the problem's files land. A file of the same name is replaced, and read again."""
    from millrace.adapters import object_store

    contract = _problem(problem)
    for file in files:
        console.print(object_store.put_landing(f"{contract.landing_prefix}{file.name}", file.read_bytes()))


@app.command()
def quarantine(
    problem: ProblemName,
    limit: Annotated[int, typer.Option(help="Rows to show.", min=1)] = 20,
    reason: Annotated[str | None, typer.Option(help="Only rows with this reason, such as range:Age.")] = None,
) -> None:
    """Rows that broke the contract, the newest first: where each came from, why, and what it said there."""
    from itertools import islice

    from millrace.steps.look_at_quarantine import broken_rows, files_set_aside

    contract = _problem(problem)
    for path, detail in files_set_aside(contract):
        console.print(f"[yellow]set aside[/] {escape(path)}: {escape(detail)}", highlight=False)
    table = Table(*(Column(words, overflow="fold") for words in ("file", "row", "reasons", "what it said")))
    for row in islice(broken_rows(contract, code=reason), limit):
        said = ", ".join(f"{name} = {value!r}" for name, value in row.values.items()) or row.raw or ""
        table.add_row(escape(row.path), str(row.row_number), "\n".join(row.reasons), escape(said))
    console.print(table)


@app.command()
def status(
    problem: Annotated[str | None, typer.Argument(help="One problem; default: all.")] = None,
) -> None:
    """What each problem serves, and what is pending in which stage."""
    from millrace.adapters import champions
    from millrace.steps.pending import PENDING
    from millrace.steps.pending_models import refused_since

    problems = [_problem(problem)] if problem else list(load_problems(get_settings().problems_dir)[0].values())
    table = Table("problem", "champion", "since", "pending")
    for each in problems:
        champion = champions.current(each.problem)
        pending = [f"{stage}: {why}" for stage, check in PENDING.items() if (why := check(each))]
        if refused := refused_since(each):
            pending.append(refused)
        version = f"version {champion.version}" if champion else "none yet"
        since = f"{champion.moved_at:%Y-%m-%d %H:%M}" if champion else ""
        table.add_row(each.problem, version, since, "\n".join(pending) or "nothing")
    console.print(table)


@app.command()
def history(problem: ProblemName) -> None:
    """Every state that each version of a problem's model went through: who, when, why."""
    from millrace.adapters import champions

    table = Table(*(Column(words, overflow="fold") for words in ("when", "version", "state", "by", "reason")))
    for step in champions.transitions(_problem(problem).problem):
        table.add_row(
            f"{step.at:%Y-%m-%d %H:%M:%S}",
            str(step.version),
            step.state,
            step.actor,
            step.reason,
        )
    console.print(table)


@app.command()
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


@app.command()
def train(problem: ProblemName) -> None:
    """Start a training now, whether or not one is due (DAG run of stage 5; the rest follows by itself)."""
    _start(problem, "train", {"force": True})


@app.command()
def deploy(
    problem: ProblemName,
    version: Annotated[int | None, typer.Argument(help="Default: the newest that passed the gate.")] = None,
) -> None:
    """Put a version in force on every replica (DAG run of stage 6)."""
    _start(problem, "deploy", {"version": version})


def _start(problem: str, stage: str, params: dict[str, object]) -> None:
    from millrace.adapters.airflow_api import AirflowApi
    from millrace.contract import names

    api, dag_id = AirflowApi(), names.dag_id(_problem(problem).problem, stage)
    run_id = api.trigger(dag_id, params)
    console.print(f"started: {api.url}/dags/{dag_id}/runs/{run_id}", soft_wrap=True)


@app.command()
def rollback(
    problem: ProblemName,
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")],
    actor: Annotated[str, typer.Option(help="Who decides; default: the user who runs it.")] = "",
    to_version: Annotated[int | None, typer.Option(help="Default: the champion before this one.")] = None,
) -> None:
    """Put an earlier version back; the one that was live is barred until `millrace release`."""
    from millrace.steps.roll_back import roll_back

    console.print_json(data=roll_back(problem, to_version=to_version, actor=actor or getpass.getuser(), reason=reason))


@app.command()
def release(
    problem: ProblemName,
    version: Annotated[int, typer.Argument(help="The version that a rollback barred.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")],
    actor: Annotated[str, typer.Option(help="Who decides; default: the user who runs it.")] = "",
) -> None:
    """Lift the hold that a rollback placed on a version: it may be deployed again."""
    from millrace.adapters import champions

    content_hash = champions.registration(problem, version)["content_hash"]
    lifted = champions.release(problem, content_hash, actor=actor or getpass.getuser(), reason=reason)
    again = f"may be deployed again: start {names.dag_id(problem, 'deploy')} with version = {version}."
    told = again if lifted else "was not barred."
    console.print(f"Version {version} of {problem} {told}", soft_wrap=True)


@app.command()
def reproduce(
    problem: ProblemName,
    version: Annotated[int, typer.Argument(help="Registered version.")],
) -> None:
    """Refit a version from its recorded configuration on its tagged gold, and compare the content hash."""
    from millrace.steps.reproduce import reproduce as run

    console.print_json(data=run(_problem(problem).problem, version))


@app.command()
def demo(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of real CSV files to use instead of simulated ones."),
    ] = None,
) -> None:
    """Take every problem from raw files to served, explained predictions, and show what happened."""
    from millrace.demo.run import run_demo

    raise typer.Exit(run_demo(data, console))


def main() -> None:
    """Entry point: an error of ours is told in words, without a traceback."""
    try:
        app()
    except MillraceError as error:
        _tell(error)
        raise SystemExit(1) from error
