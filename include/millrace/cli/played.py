"""What the commands that play the outside world share: they end when they are told to, and then wait for silver."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer
from rich.markup import escape

from millrace.cli.terminal import console

ASKED_EVERY_SECONDS = 3
DIFFERENCES_TOLD = 5


def await_silver(differences: Callable[[], list[str]], *, wait: float) -> None:
    """Ask until silver holds what was done.

    Args:
        differences: In words, what it does not hold.
        wait: Seconds in which it must.

    Raises:
        typer.Exit: With code 1, if it does not.
    """
    with console.status("Waits until silver holds all of it") as shown:
        late = time.monotonic() + wait
        while (found := differences()) and time.monotonic() < late:
            shown.update(f"Waits until silver holds all of it: {len(found)} differences")
            time.sleep(ASKED_EVERY_SECONDS)
    if not found:
        return
    for words in found[:DIFFERENCES_TOLD]:
        console.print(f"[red]{escape(words)}[/]", highlight=False)
    console.print(
        f"[red]✗[/] After {wait:g} s silver differs in {len(found)} places. `millrace status` shows how far all of it"
        " has come; a DAG that is paused, or failed, holds it up.",
        highlight=False,
    )
    raise typer.Exit(1)


@contextmanager
def ended_by_a_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C ends the work, not the command: what was begun is finished and counted."""
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
