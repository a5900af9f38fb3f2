"""The command that drafts a problem file."""

import webbrowser
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from millrace.cli.terminal import console
from millrace.settings import get_settings

if TYPE_CHECKING:
    from millrace.steps.draft_problem import Drafted

_TOLD = 12


def new(
    data: Annotated[
        str,
        typer.Argument(help="A CSV file (also .gz or .zst), a Parquet file, or with --database a table of it."),
    ],
    label: Annotated[str, typer.Option(help="The column to predict, as the file or table calls it.")],
    database: Annotated[
        str | None,
        typer.Option(help="Address postgresql://role@host/name; the password comes from PGPASSWORD or ~/.pgpass."),
    ] = None,
    problem: Annotated[str | None, typer.Option(help="Name of the problem; default: that of file or table.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Where to write the draft; default: include/problems/<problem>.yaml."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Where to write the page with pictures; default: .millrace/profiles/<problem>.html."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Open the page in a browser.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a problem file that is there.")] = False,
) -> None:
    """Look at a file or table nobody has described, and draft its problem file: types, ranges, and what to decide.

    A table is copied to a file first, which stays: land it, or export the table anew when the draft is decided.
    """
    from millrace.steps.draft_problem import demand_place, draft_problem, name_from

    settings, began = get_settings(), monotonic()
    name = problem or (output.stem if output else name_from(data.rpartition(".")[2] if database else Path(data).name))
    output = output or settings.problems_dir / f"{name}.yaml"
    report = report or settings.home / "profiles" / f"{name}.html"
    demand_place(name, output, force=force)
    file = _copied(database, data, settings.home / "profiles" / f"{name}.csv") if database else Path(data)
    drafted = draft_problem(file, label=label, name=name, output=output, report=report, force=force)
    _tell(drafted, file, output, report, monotonic() - began)
    if show:
        webbrowser.open(report.resolve().as_uri())


def _copied(database: str, table: str, file: Path) -> Path:
    from millrace.adapters.postgres_table import copy_out

    file.parent.mkdir(parents=True, exist_ok=True)
    with console.status(f"Copying {table}"):
        copy_out(database, table, file)
    console.print(f"[green]✓[/] copied {escape(table)} to {escape(str(_near(file)))}", highlight=False, soft_wrap=True)
    return file


def _tell(drafted: "Drafted", data: Path, output: Path, report: Path, seconds: float) -> None:
    table = drafted.table
    looked_at = f"{drafted.total_rows:,} rows"
    if table.rows < drafted.total_rows:
        looked_at = f"{table.rows:,} of {looked_at}, evenly spread"
    console.print(f"[green]✓[/] looked at {looked_at} × {len(table.columns)} columns in {seconds:.1f} s")
    for words, path in (("problem file", output), ("pictures", report)):
        console.print(f"[green]✓[/] {words}: {escape(str(_near(path)))}", highlight=False, soft_wrap=True)
    if drafted.ragged_rows:
        console.print(f"[yellow]![/] {drafted.ragged_rows:,} rows have another number of fields than the header")
    console.print("\n[bold]To decide[/] (each is marked DECIDE in the file)")
    for decision in drafted.decisions[:_TOLD]:
        about = f"[cyan]{escape(decision.column)}[/]: " if decision.column else ""
        console.print(f"  · {about}{escape(decision.words)}", highlight=False)
    if len(drafted.decisions) > _TOLD:
        console.print(f"  · and {len(drafted.decisions) - _TOLD} more, in the file")
    name = drafted.problem.problem
    console.print("\n[bold]Next[/]: edit the file, then")
    for command in ("lint", f"land {name} {_near(data)}", f"status {name}"):
        console.print(f"  .venv/bin/millrace {escape(command)}", highlight=False, soft_wrap=True)


def _near(path: Path) -> Path:
    """The path as seen from here, where it lies below."""
    resolved, here = path.resolve(), Path.cwd()
    return resolved.relative_to(here) if resolved.is_relative_to(here) else path
