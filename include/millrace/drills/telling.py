"""What a drill says while it runs, a line at a time, and whether each of its promises held."""

import time
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from millrace.contract.errors import MillraceError

T = TypeVar("T")
LOOK_SECONDS = 0.5


class Telling:
    """Lines with the time since the drill began. `held` turns False with the first promise that did not hold."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self.held = True

    def promised(self, words: str) -> None:
        self._line("[bold]promised[/]", words)

    def broken(self, words: str) -> None:
        """What is broken now: which service, process, row or file."""
        self._line("[red]broken  [/]", words)

    def now(self, words: str) -> None:
        self._line("[dim]then    [/]", words)

    def found(self, held: bool, words: str) -> None:
        """Tell how a promise ended."""
        self.held = self.held and held
        self._line("[green]✓ held  [/]" if held else "[red]✗ BROKEN[/]", words)

    def wait(
        self,
        what: str,
        look: Callable[[], T | None],
        *,
        seconds: float,
        pending: Callable[[], object] = str,
        every_seconds: float = LOOK_SECONDS,
    ) -> T:
        """Look until the answer is true in Python's sense, and return it; a line says when it was.

        Args:
            what: What becomes true, such as `the file is in the warehouse`.
            pending: What to tell of when it does not.
            every_seconds: Between two looks; longer where a look is work for the stack.

        Raises:
            MillraceError: If that takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        with self._console.status(f"until {what}"):
            while not (answer := look()):
                if time.monotonic() > deadline:
                    raise MillraceError(
                        f"The drill waited in vain until {what}",
                        place="the running stack",
                        found=str(pending()) or f"not within {seconds:.0f} s",
                        expected=f"within {seconds:.0f} s",
                        fix="`make status` shows whether a service is down, `millrace status` what is behind",
                    )
                time.sleep(every_seconds)
        self.now(what)
        return answer

    @property
    def seconds(self) -> float:
        """Since the drill began."""
        return time.monotonic() - self._began

    def _line(self, sign: str, words: str) -> None:
        self._console.print(f"{self.seconds:6.1f} s  {sign}  {escape(words)}", highlight=False, soft_wrap=True)
