"""The reference of the commands, from the command line itself and from the Makefile."""

import re
from html import unescape

import typer

from docs.drift.markdown import table
from millrace.cli import app
from millrace.settings import ROOT

HEAD = """\
# Commands

`make` is for the project: set it up, start it, test it. `millrace` (in `.venv/bin/`) is for the problems.
"""
TARGET = re.compile(r"^(?P<name>[a-z-]+):[^#\n]*## (?P<words>.+)$", re.MULTILINE)


def make_targets() -> dict[str, str]:
    """The targets of the Makefile that a person calls, with their words."""
    return {found["name"]: found["words"] for found in TARGET.finditer((ROOT / "Makefile").read_text())}


def commands() -> dict[str, "typer.core.TyperCommand"]:
    """The commands of `millrace` by name; those of a group by both words, such as `keys create`."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    found = dict(group.commands)
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            found |= {f"{name} {below}": one for below, one in command.commands.items()}
    return {words: one for words, one in found.items() if isinstance(one, typer.core.TyperCommand)}


def options(name: str) -> set[str]:
    """The options that a command of `millrace` knows, such as `--rows`."""
    return {word for parameter in commands()[name].params for word in parameter.opts if word.startswith("--")} | {
        "--help"
    }


def commands_page() -> str:
    """The page."""
    targets = table(("command", "what it does"), [(f"`make {name}`", words) for name, words in make_targets().items()])
    return "\n".join([HEAD, "## make\n", targets, *(_command(name) for name in commands())])


def _command(name: str) -> str:
    command = commands()[name]
    context = typer.Context(command, info_name=f"millrace {name}")
    usage = " ".join(["millrace", name, *command.collect_usage_pieces(context)])
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [(f"`{record[0]}`", unescape(record[1])) for record in records if record]
    told = f"## millrace {name}\n\n{command.help}\n\n```text\n{usage}\n```\n"
    return told + ("\n" + table(("argument", "meaning"), rows) if rows else "")
