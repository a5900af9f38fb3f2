"""`millrace simulate --live`: an application at work, and whether silver holds what it did."""

import time

from rich.markup import escape

from millrace.cli.played import await_silver, ended_by_a_signal
from millrace.cli.terminal import console
from millrace.contract.problem import Problem
from millrace.simulation.live import Played, play


def play_live(problem: Problem, *, rate: float, seconds: float | None, seed: int | None, wait: float) -> None:
    """Play until the time is over or Ctrl-C comes; then wait until silver holds what was done.

    Raises:
        typer.Exit: With code 1, if it does not in time.
    """
    seed = int(time.time()) if seed is None else seed
    played, begun = play(problem, seed=seed), time.monotonic()
    how_long = "until Ctrl-C" if seconds is None else f"for {seconds:g} s"
    console.print(f"{problem.change_table}: {rate:g} rows a second {how_long}, seed {seed}", highlight=False)
    with ended_by_a_signal() as ended, console.status("connects") as shown:
        played.play(
            rate=rate,
            until=lambda: ended() or (seconds is not None and time.monotonic() - begun > seconds),
            tell=lambda: shown.update(escape(_done(played))),
        )
    console.print(_done(played), highlight=False)
    await_silver(played.differences, wait=wait)
    rows = len(played.world.silver())
    console.print(
        f"[green]✓[/] Silver holds what was done: {rows:,} rows as they must be, and none of the"
        f" {len(played.world.known) - rows:,} that are gone or were never valid",
        highlight=False,
    )


def _done(played: Played) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(played.done.items()))
    return f"{played.done.total():,} rows committed in {played.transactions:,} transactions ({kinds})"
