"""One moving line for each thing under way; on a pipe or in CI, one printed line for each event instead."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

HEARTBEAT_SECONDS = 15


@dataclass
class Board:
    """What is under way and what it does. Every method may be called from any thread."""

    console: Console
    progress: Progress | None
    lines: dict[str, TaskID] = field(default_factory=dict)
    under_way: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, name: str, words: str) -> None:
        """`name` is doing this now."""
        with self.lock:
            new = name not in self.under_way
            self.under_way[name] = words
            if self.progress is not None:
                self._show(name, words)
            elif new:
                self.console.print(f"  {name:<18} {words}", highlight=False, markup=False)

    def done(self, name: str, words: str, *, ok: bool = True) -> None:
        """`name` has ended."""
        with self.lock:
            self.under_way.pop(name, None)
            if self.progress is not None and name in self.lines:
                self.progress.remove_task(self.lines.pop(name))
            sign = "[green]✓[/]" if ok else "[red]✗[/]"
            self.console.print(f"{sign} {name:<18} {words}", highlight=False)

    def _show(self, name: str, words: str) -> None:
        if self.progress is None:
            return
        if name not in self.lines:
            self.lines[name] = self.progress.add_task(name, words="", total=None)
        room = max(20, self.console.width - 34)
        self.progress.update(self.lines[name], words=words.replace("[", "\\[").splitlines()[0][:room] if words else "")


@contextmanager
def board(console: Console) -> Iterator[Board]:
    """Shows a board while the block runs."""
    if console.is_terminal:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<18}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[words]}"),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield Board(console, progress)
        return
    shown, ended = Board(console, None), threading.Event()
    beat = threading.Thread(target=_beat, args=(shown, ended, time.monotonic()), daemon=True)
    beat.start()
    try:
        yield shown
    finally:
        ended.set()


def _beat(shown: Board, ended: threading.Event, began: float) -> None:
    """Says now and then what is still going on, so that a log never looks dead."""
    while not ended.wait(HEARTBEAT_SECONDS):
        names = ", ".join(sorted(shown.under_way))
        if names:
            shown.console.print(f"  … {time.monotonic() - began:.0f} s: {names}", highlight=False, markup=False)
