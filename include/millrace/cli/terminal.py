"""What every command shares: the two consoles, errors told in words, and finding the problem that is meant."""

import getpass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from millrace.contract.errors import MillraceError, did_you_mean
from millrace.contract.loading import get_problem, load_problems
from millrace.contract.problem import Problem
from millrace.settings import get_settings

console = Console()
err = Console(stderr=True)

ProblemName = Annotated[
    str,
    typer.Argument(help="Name of a problem: the stem of its file in include/problems/."),
]
AskedProblem = Annotated[
    str | None,
    typer.Argument(help="Name of a problem; without one, the error lists them."),
]
Actor = Annotated[str, typer.Option(help="Who decides; default: the user who runs it.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the history.")]


def tell_error(error: MillraceError) -> None:
    """Print an error of ours on stderr."""
    # Not escaped, [a, b] within a message would be taken for markup; wrapped, a path could not be copied.
    err.print(f"[red]✗[/] {escape(str(error))}", highlight=False, soft_wrap=True)


def find_problem(name: str | None) -> Problem:
    """The problem of that name; the error for any other, or for none, says which there are."""
    folder = get_settings().problems_dir
    if name is None:
        raise MillraceError(
            "Which problem?",
            place="argument PROBLEM",
            found="no name",
            expected=f"one of {', '.join(load_problems(folder)[0]) or '(there is none yet)'}",
            fix="name it; docs/how-to/add-a-problem.md tells how to add one",
        )
    return get_problem(name, folder)


def find_source(name: str) -> Problem:
    """The problem that declares a source; the error for any other name says which sources there are."""
    problems, _ = load_problems(get_settings().problems_dir)
    sources = {source: problem for problem in problems.values() for source in problem.sources}
    if name not in sources:
        raise MillraceError(
            f"There is no source {name}",
            place="argument SOURCE",
            found=name,
            expected=did_you_mean(name, list(sources)),
            fix="a source is named under `sources` in the problem file",
        )
    return sources[name]


def who(actor: str) -> str:
    """The actor that was named, otherwise the user of this machine."""
    return actor or getpass.getuser()
