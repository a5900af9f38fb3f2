"""The program behind the Makefile: `python -m infra up | down | backup | restore | …`; `--help` lists all."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from infra.backup.backup import back_up
from infra.backup.restore import restore as restore_from
from infra.checks import run_all
from infra.env_file import ensure_env_file
from infra.paths import ROOT
from infra.progress import board
from infra.services import PROFILES, of_profile
from infra.services.addresses import lines as address_lines
from infra.services.airflow import environment as airflow_environment
from infra.stack.clean import remove, what_is_there
from infra.stack.down import bring_down
from infra.stack.launching import environment as stack_environment
from infra.stack.status import look, table
from infra.stack.supervisor import logs_folder
from infra.stack.up import bring_up
from millrace.contract.errors import MillraceError, did_you_mean
from millrace.settings import env_file, get_settings

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False)


@app.command()
def up(profile: Annotated[str, typer.Option(help="Which services.")] = "core") -> None:
    """Start the stack and wait until it is ready; harmless when it is up."""
    ensure_env_file(env_file())
    settings = get_settings()
    services = of_profile(profile, settings)
    began = time.monotonic()
    with board(console) as shown:
        bring_up(services, settings, say=shown.say, done=shown.done)
    console.print(f"The stack is up ({time.monotonic() - began:.0f} s). `make open` prints the addresses.")


@app.command()
def down() -> None:
    """Stop the stack: no process is left."""
    with board(console) as shown:
        shown.say("down", "stopping")
        leftovers = bring_down(get_settings(), say=lambda words: shown.say("down", words))
        shown.done("down", f"no process is left{f' (ended {leftovers} leftovers)' if leftovers else ''}")


@app.command()
def status() -> None:
    """Show every service. Exit code 1 when one is not ready."""
    settings = get_settings()
    states = look(settings)
    console.print(table(states, settings))
    raise typer.Exit(0 if all(state.healthy for state in states) else 1)


@app.command(name="open")
def open_() -> None:
    """Print the addresses and logins."""
    console.print("\n".join(address_lines(get_settings())), soft_wrap=True, markup=False)


@app.command(context_settings={"ignore_unknown_options": True})
def run(command: list[str]) -> None:
    """Run a command in the environment of the stack's Airflow, for example `python -m infra run airflow dags list`."""
    settings = get_settings()
    here = {**os.environ, **stack_environment(settings), **airflow_environment(settings)}
    here["PATH"] = f"{Path(sys.executable).parent}:{here['PATH']}"
    os.execvpe(command[0], command, here)


@app.command()
def check() -> None:
    """Style, types, import contracts, locks, problem files, containers."""
    raise typer.Exit(0 if run_all(console) else 1)


@app.command()
def backup(
    to: Annotated[str, typer.Option(help="A folder that is not there yet; default: backups/<now>.")] = "",
) -> None:
    """Copy databases and objects to a folder, while the stack goes on working."""
    folder = Path(to) if to else ROOT / "backups" / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
    with board(console) as shown:
        back_up(get_settings(), folder.absolute(), shown)
    console.print(f"The backup is in {folder}. It holds no .env: keep that apart.", soft_wrap=True)


@app.command()
def restore(
    source: Annotated[Path, typer.Option("--from", help="The folder of a backup.")],
    force: Annotated[bool, typer.Option("--force", help="Remove the data that is there.")] = False,
) -> None:
    """Put a backup's databases and objects back into an empty stack."""
    ensure_env_file(env_file())
    with board(console) as shown:
        made = restore_from(get_settings(), source.absolute(), shown, force=force)
    console.print(f"The stack holds what it held at {made.made_at}. `make up` starts the rest.")


@app.command()
def logs(service: Annotated[str, typer.Argument(help="One service; all without it.")] = "") -> None:
    """Follow the logs."""
    names = [service.name for services in PROFILES.values() for service in services]
    if service and service not in names:
        raise MillraceError(
            f'there is no service "{service}"',
            place="make logs SERVICE=…",
            found=service,
            expected=did_you_mean(service, names),
            fix=f"`make logs SERVICE=<name>` with one of {', '.join(names)}",
        )
    folder = logs_folder(get_settings())
    files = [path for path in sorted(folder.glob("*.log")) if not service or path.stem == service]
    try:
        subprocess.run(["tail", "-n", "20", "-F", *map(str, files)], check=False)
    except KeyboardInterrupt:
        return


@app.command()
def clean(
    force: Annotated[bool, typer.Option("--force", help="Do not ask.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Tools and environments too.")] = False,
) -> None:
    """Remove the data of the stopped stack."""
    paths = what_is_there(get_settings(), everything=everything)
    for path in paths:
        console.print(f"  {path}")
    if paths and (force or typer.confirm("Remove all of this for good?")):
        bring_down(get_settings(), say=lambda _words: None)
        remove(paths)
        console.print("removed")


def main() -> None:
    try:
        app()
    except MillraceError as error:
        console.print(f"[bold red]✗[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
