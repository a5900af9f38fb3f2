"""Commands about what comes by topics, and how `millrace status` shows it."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from millrace.cli.terminal import ProblemName, console, find_problem
from millrace.contract import names
from millrace.contract.errors import MillraceError
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

    · Then, too, as where the slot is lost or not there, or --anew is said:
    connector, position and slot are made anew. Of what happened since the
    last change that came only the result is known, deletions included.

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


def resume(problem: ProblemName, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Go on with a topic of producers that lost what bronze was to take in next, or that is another one now.

    Bronze goes on from the earliest offset that is there. What is given up
    by that, it says before it asks: nobody can send it again but the
    producers themselves. Where bronze can go on by itself, nothing is done.
    """
    from millrace.steps.give_up_offsets import give_up, to_give_up

    contract = find_problem(problem)
    topic = contract.source.topic
    if topic is None:
        raise MillraceError(
            f"{problem} has no topic of producers",
            place=f"include/problems/{problem}.yaml",
            found="a source without a section `topic`",
            expected="a source to whose topic producers send",
            fix="a table's changes that are gone come anew with `millrace resnapshot`",
        )
    found = to_give_up(contract, topic.name)
    if not found:
        console.print(f"Nothing is lost of topic {topic.name}: it goes on by itself.", highlight=False)
        return
    for words in found:
        _tell(f"Given up in topic {topic.name}: {words}")
    if not yes:
        typer.confirm("Go on without it?", abort=True)
    for words in give_up(contract, topic.name):
        _tell(f"Bronze has given up, and goes on: {words}")


def topics_table(problems: list[Problem]) -> Table | None:
    """A line for each topic to which others send; None where there is none."""
    from millrace.steps.changes_state import backlog_words

    told = [(problem, problem.source.topic) for problem in problems if problem.source.topic]
    if not told:
        return None
    columns = ("problem", "topic", "format", "backlog")
    table = Table(*(Column(words, overflow="fold") for words in columns), title="Topics", title_justify="left")
    for problem, topic in told:
        words = (problem.problem, topic.name, topic.format, backlog_words(problem, topic.name))
        table.add_row(*map(escape, words))
    return table


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
