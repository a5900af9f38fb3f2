"""The whole way, shown."""

from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.terminal import console


def demo(
    problems: Annotated[
        list[str] | None,
        typer.Argument(help="Which problems to take; default: diabetes and loan, or all if they are not there."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of real CSV files to use instead of simulated ones."),
    ] = None,
) -> None:
    """Take problems from raw files to served, explained predictions, and show what happened."""
    from millrace.demo.run import run_demo

    raise typer.Exit(run_demo(problems or [], data, console))
