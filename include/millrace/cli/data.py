"""Commands about rows: making them, landing them, and looking at those that broke the contract."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from millrace.cli.terminal import AskedProblem, ProblemName, console, find_problem


def simulate(
    problem: AskedProblem = None,
    rows: Annotated[int, typer.Option(help="Rows of the file, or messages, broken ones included.", min=1)] = 1000,
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed gives the same file; default: 0, with --live and --produce the time."),
    ] = None,
    broken_share: Annotated[float, typer.Option(help="Share of rows broken in known ways.", min=0, max=1)] = 0.1,
    first_row: Annotated[
        int | None,
        typer.Option(
            help="Number of the first key, so that files do not overlap; default: 0, with --produce by the time.", min=0
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write here instead of to the landing bucket.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Play an application on the table of the source database instead.")
    ] = False,
    produce: Annotated[
        bool, typer.Option("--produce", help="Send messages to the topic of the problem's producers instead.")
    ] = False,
    rate: Annotated[
        float, typer.Option(help="With --live and --produce: rows or messages a second.", min=0.1, max=10_000)
    ] = 10,
    seconds: Annotated[
        float | None,
        typer.Option(help="How long; default: with --live until Ctrl-C, with --produce until --rows are sent.", min=0),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(help="With --live and --produce: seconds after the end in which silver must hold all.", min=0),
    ] = 300,
    named: Annotated[str | None, typer.Option("--problem", help="The problem, said as an option.")] = None,
) -> None:
    """Make a raw file with a known truth and put it where the problem's files land.

    With --live, play an application on the table that the problem follows:
    it inserts, corrects and deletes rows, gives them other keys, writes
    broken values, and learns labels late, in transactions and in bursts.

    With --produce, play producers: events or rows as JSON messages to the
    topic that the contract names, some of them broken, no row at all, or
    sent again.

    Both know what is true of their rows, and at their end wait until silver
    holds just that; exit code 0 only if it does.
    """
    contract = find_problem(problem or named)
    if live and produce:
        raise typer.BadParameter("--live plays an application, --produce plays producers; say one of them")
    if live:
        from millrace.cli.live import play_live

        play_live(contract, rate=rate, seconds=seconds, seed=seed, wait=wait)
        return
    if produce:
        from millrace.cli import produce as producers

        producers.produce(
            contract,
            rate=rate,
            seconds=seconds,
            rows=rows,
            seed=seed,
            broken_share=broken_share,
            first_row=first_row,
            wait=wait,
        )
        return
    from millrace.adapters import object_store
    from millrace.simulation.files import simulate_file

    number, first_row = seed or 0, first_row or 0
    file = simulate_file(contract, rows=rows, seed=number, broken_share=broken_share, first_row=first_row)
    if output:
        output.write_bytes(file.content)
        place = str(output)
    else:
        key = f"{contract.landing_prefix}{contract.problem}-{first_row:08d}-{number}.{contract.source.format}"
        place = object_store.put_landing(key, file.content)
    console.print(f"{rows} rows ({file.valid_rows} valid) → {place}")


def land(
    problem: ProblemName,
    files: Annotated[
        list[Path], typer.Argument(help="Files of the format that the problem file says.", exists=True, dir_okay=False)
    ],
) -> None:
    """Put your own files where the problem's files land. A file of the same name is replaced, and read again."""
    from millrace.adapters import object_store

    contract = find_problem(problem)
    for file in files:
        console.print(object_store.upload_landing(f"{contract.landing_prefix}{file.name}", file))


def quarantine(
    problem: AskedProblem = None,
    limit: Annotated[int, typer.Option(help="Rows to show.", min=1)] = 20,
    reason: Annotated[str | None, typer.Option(help="Only rows with this reason, such as range:Age.")] = None,
) -> None:
    """Rows that broke the contract, the newest first: where each came from, why, and what it said there."""
    from itertools import islice

    from millrace.steps.look_at_quarantine import broken_rows, files_set_aside

    contract = find_problem(problem)
    for path, detail in files_set_aside(contract):
        console.print(f"[yellow]set aside[/] {escape(path)}: {escape(detail)}", highlight=False)
    table = Table(*(Column(words, overflow="fold") for words in ("file", "row", "reasons", "what it said")))
    for row in islice(broken_rows(contract, code=reason), limit):
        said = ", ".join(f"{name} = {value!r}" for name, value in row.values.items()) or row.raw or ""
        table.add_row(escape(row.path), str(row.row_number), "\n".join(row.reasons), escape(said))
    console.print(table)
