"""`millrace simulate --live`: an application at work, and whether silver holds what it did."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer
from rich.markup import escape

from millrace.cli.terminal import console
from millrace.contract.problem import Problem
from millrace.simulation.live import Played, play

ASKED_EVERY_SECONDS = 3
DIFFERENCES_TOLD = 5


def play_live(problem: Problem, *, rate: float, seconds: float | None, seed: int | None, wait: float) -> None:
    """Play until the time is over or Ctrl-C comes; then wait until silver holds what was done.

    Raises:
        typer.Exit: With code 1, if it does not in time.
    """
    seed = int(time.time()) if seed is None else seed
    played, begun = play(problem, seed=seed), time.monotonic()
    how_long = "until Ctrl-C" if seconds is None else f"for {seconds:g} s"
    console.print(f"{problem.change_table}: {rate:g} rows a second {how_long}, seed {seed}", highlight=False)
    with _ended_by_a_signal() as ended, console.status("connects") as shown:
        played.play(
            rate=rate,
            until=lambda: ended() or (seconds is not None and time.monotonic() - begun > seconds),
            tell=lambda: shown.update(escape(_done(played))),
        )
    console.print(_done(played), highlight=False)
    with console.status("Waits until silver holds all of it") as shown:
        late = time.monotonic() + wait
        while (found := played.differences()) and time.monotonic() < late:
            shown.update(f"Waits until silver holds all of it: {len(found)} differences")
            time.sleep(ASKED_EVERY_SECONDS)
    if found:
        for words in found[:DIFFERENCES_TOLD]:
            console.print(f"[red]{escape(words)}[/]", highlight=False)
        console.print(
            f"[red]✗[/] After {wait:g} s silver differs in {len(found)} places. `millrace status` shows how far the"
            " changes have come; a DAG that is paused, or failed, holds them up.",
            highlight=False,
        )
        raise typer.Exit(1)
    rows = len(played.world.silver())
    console.print(
        f"[green]✓[/] Silver holds what was done: {rows:,} rows as they must be, and none of the"
        f" {len(played.world.known) - rows:,} that are gone or were never valid",
        highlight=False,
    )


def _done(played: Played) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(played.done.items()))
    return f"{played.done.total():,} rows committed in {played.transactions:,} transactions ({kinds})"


@contextmanager
def _ended_by_a_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C ends the application's work, not the command: what was begun is committed and counted."""
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
