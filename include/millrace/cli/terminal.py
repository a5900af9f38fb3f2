"""What every command shares: the two consoles, errors told in words, and finding the problem that is meant."""

import getpass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from millrace.contract.errors import MillraceError
from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.settings import get_settings

console = Console()
err = Console(stderr=True)

ProblemName = Annotated[
    str,
    typer.Argument(help="Name of a problem: the stem of its file in include/problems/."),
]
Actor = Annotated[str, typer.Option(help="Who decides; default: the user who runs it.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the history.")]


def tell_error(error: MillraceError) -> None:
    """Print an error of ours on stderr."""
    # Not escaped, [a, b] within a message would be taken for markup; wrapped, a path could not be copied.
    err.print(f"[red]✗[/] {escape(str(error))}", highlight=False, soft_wrap=True)


def find_problem(name: str) -> Problem:
    """The problem of that name; the error for any other says which there are."""
    return get_problem(name, get_settings().problems_dir)


def who(actor: str) -> str:
    """The actor that was named, otherwise the user of this machine."""
    return actor or getpass.getuser()
