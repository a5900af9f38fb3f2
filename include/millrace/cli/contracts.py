"""Commands about problem files."""

import json
from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.terminal import console, tell_error
from millrace.contract.errors import MillraceError
from millrace.contract.loading import json_schema, load_problems
from millrace.settings import get_settings


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
        tell_error(error)
    if errors:
        raise typer.Exit(1)


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
