"""The program behind the Makefile: `python -m infra up | down | status | open | env | clean | logs`."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from infra.env_file import ensure_env_file
from infra.services import of_profile
from infra.stack.down import bring_down
from infra.stack.up import bring_up
from millrace.contract.errors import MillraceError
from millrace.settings import env_file, get_settings

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console()


@app.command()
def up(profile: Annotated[str, typer.Option(help="Which services.")] = "core") -> None:
    """Start the stack; harmless when it is up."""
    ensure_env_file(env_file())
    settings = get_settings()
    last: dict[str, str] = {}

    def progress(service: str, words: str) -> None:
        if last.get(service) != words.partition(":")[0]:
            last[service] = words.partition(":")[0]
            console.print(f"  {service:<16} {words}")

    bring_up(of_profile(profile, settings), settings, progress)


@app.command()
def down() -> None:
    """Stop the stack: no process is left."""
    bring_down(get_settings())


@app.command()
def env() -> None:
    """Make the env file if there is none."""
    ensure_env_file(env_file())


def main() -> None:
    try:
        app()
    except MillraceError as error:
        console.print(f"[bold red]✗[/] {error}", highlight=False, markup=True)
        sys.exit(1)
