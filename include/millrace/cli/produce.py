"""`millrace simulate --produce`: producers at work, and whether silver holds what they sent."""

import time

from rich.markup import escape

from millrace.cli.played import await_silver, ended_by_a_signal
from millrace.cli.terminal import console
from millrace.contract.problem import Problem
from millrace.simulation.producing import Producers


def produce(
    problem: Problem,
    *,
    rate: float,
    seconds: float | None,
    rows: int,
    seed: int | None,
    broken_share: float,
    first_row: int | None,
    wait: float,
) -> None:
    """Send until the time is over, as many as there are to be, or Ctrl-C; then wait until silver holds the valid ones.

    Raises:
        typer.Exit: With code 1, if it does not in time.
    """
    seed = int(time.time()) if seed is None else seed
    producers = Producers(problem, seed=seed, broken_share=broken_share, first_row=first_row)
    begun = time.monotonic()
    how_many = f"{rows:,} of them" if seconds is None else f"for {seconds:g} s"
    console.print(f"Topic {producers.topic}: {rate:g} messages a second, {how_many}, seed {seed}", highlight=False)
    with ended_by_a_signal() as ended, console.status("connects") as shown:

        def is_enough() -> bool:
            told = producers.sent.total() >= rows if seconds is None else time.monotonic() - begun > seconds
            return ended() or told

        producers.send(rate=rate, until=is_enough, tell=lambda: shown.update(escape(_sent(producers))))
    console.print(_sent(producers), highlight=False)
    await_silver(producers.differences, wait=wait)
    console.print(
        f"[green]✓[/] Silver holds what was sent: {len(producers.valid):,} rows as they must be, each once, and none of"
        f" the {producers.sent['broken'] + producers.sent['unreadable']:,} messages that are no valid row",
        highlight=False,
    )


def _sent(producers: Producers) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(producers.sent.items()))
    return f"{producers.sent.total():,} messages sent ({kinds})"
