"""The command line: `millrace --help`. Every command is named here, in the order in which it is listed."""

import typer

from millrace.cli import changes, contracts, data, decisions, demo, drills, extracts, keys, models, new, planning
from millrace.cli.terminal import tell_error
from millrace.contract.errors import MillraceError

app = typer.Typer(
    help="Tables that keep changing, turned into predictions that stay right.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

COMMANDS = {
    "Problem files": (new.new, contracts.lint, contracts.schema, planning.plan, planning.apply, planning.rebuild),
    "Rows": (
        data.simulate,
        data.land,
        data.quarantine,
        decisions.batches,
        decisions.reject,
        decisions.accept,
        decisions.replay,
        changes.resnapshot,
        changes.resume,
        extracts.extract,
    ),
    "Models": (
        models.status,
        models.history,
        models.predict,
        models.train,
        models.deploy,
        models.rollback,
        models.release,
        models.reproduce,
    ),
    "The whole way": (demo.demo, drills.drill),
}
app.add_typer(keys.keys, name="keys", rich_help_panel="Models")
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def main() -> None:
    """Entry point: an error of ours is told in words, without a traceback."""
    try:
        app()
    except MillraceError as error:
        tell_error(error)
        raise SystemExit(1) from error
