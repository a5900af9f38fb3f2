"""The whole way, shown."""

from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.terminal import console


def demo(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of real CSV files to use instead of simulated ones."),
    ] = None,
) -> None:
    """Take every problem from raw files to served, explained predictions, and show what happened."""
    from millrace.demo.run import run_demo

    raise typer.Exit(run_demo(data, console))
