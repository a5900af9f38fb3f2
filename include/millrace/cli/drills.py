"""The promises, shown on the running stack."""

from typing import Annotated

import typer

from millrace.cli.terminal import console


def drill(
    name: Annotated[str | None, typer.Argument(help="Which drill to run; without a name, they are listed.")] = None,
) -> None:
    """Put a fault into the running stack and see what is promised hold; exit code 1 if it did not.

    A drill works on a problem of its own, drill_<name>_<mark>, and removes it at the end, also after Ctrl-C; what a
    killed drill left is removed by the next one. Two drills never run at once.
    """
    from millrace.drills.run import list_drills, run_drill

    if name is None:
        list_drills(console)
        return
    raise typer.Exit(run_drill(name, console))
