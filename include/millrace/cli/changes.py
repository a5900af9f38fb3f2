"""Commands about changes of the source database, and how `millrace status` shows them."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from millrace.cli.terminal import ProblemName, console, find_problem
from millrace.contract import names
from millrace.contract.problem import Problem


def resnapshot(
    problem: ProblemName,
    anew: Annotated[
        bool,
        typer.Option(
            "--anew",
            help="Make the connector and its slot anew, though the slot is there: for one that fails and no mended "
            "cause helps.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Read every row of a problem's table once more, while changes go on; the way out of changes that were lost.

    The connector is told by a signal, reads the table in pieces, and each
    row comes to the topic as one that was read. Nothing stops meanwhile.

    What it has to mend first, it says before it asks:

    · The topic is another one than bronze took in, or messages are gone:
    bronze goes on from the earliest offsets there are. Where bronze can go
    on by itself, nothing is given up.

    · The slot is lost or not there, or --anew is said: connector, position
    and slot are made anew. Of what happened since the last change that
    came, only the result is known.

    It waits until the last row is in the topic. Ended before, the connector
    reads on all the same.
    """
    from millrace.steps import resnapshot as step

    contract = find_problem(problem)
    with console.status("Looking") as shown:
        needed = step.needed(contract, say=lambda words: shown.update(escape(words)))
    if needed.anew or anew:
        why = needed.anew or "it was asked for"
        _tell(f"The connector is made anew: {why}. What was changed in between is known by its result only.")
    for words in needed.given_up:
        _tell(f"Given up in topic {contract.change_topic}: {words}")
    if not yes:
        typer.confirm(f"Read every row of {contract.change_table} once more?", abort=True)
    with console.status("Begins") as shown:
        done = step.resnapshot(contract, anew=bool(needed.anew) or anew, say=lambda words: shown.update(escape(words)))
    if done.anew:
        console.print(f"Connector: {escape(done.anew)}", highlight=False, soft_wrap=True)
    for words in done.given_up:
        _tell(f"Bronze has given up, and goes on: {words}")
    rows = "Every row" if done.rows is None else f"{done.rows:,} rows"
    console.print(f"{rows} of {contract.change_table} came to topic {contract.change_topic}.", highlight=False)


def changes_table(problems: list[Problem], *, warehouse: bool) -> Table | None:
    """A line for each problem that follows a table, and one for what the warehouse publishes; None without any."""
    from millrace.steps.changes_state import changes_state, warehouse_state

    states = [(problem.problem, changes_state(problem)) for problem in problems if problem.change_table]
    states += [(names.WAREHOUSE, warehouse_state())] if warehouse else []
    if not states:
        return None
    columns = ("problem", "connector", "slot", "backlog", "last change committed")
    table = Table(*(Column(words, overflow="fold") for words in columns), title="Changes", title_justify="left")
    for name, state in states:
        table.add_row(*map(escape, (name, state.connector, state.slot, state.backlog, state.captured)))
    return table


def _tell(words: str) -> None:
    console.print(f"[yellow]{escape(words)}[/]", highlight=False, soft_wrap=True)
