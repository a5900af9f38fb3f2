"""What the set-up's tasks share: skip what is there, run a command with its last line shown, rename when complete."""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.paths import ROOT, TOOLS

Say = Callable[[str], None]


class SetupError(Exception):
    """A step of the set-up failed; the text says which command, its last lines and the way out."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One thing that the set-up makes. It is there when `target` exists and was made from the same `inputs`."""

    name: str
    target: Path
    inputs: str
    make: Callable[[Say], None]

    def is_there(self) -> bool:
        return self.target.exists() and self._stamp.exists() and self._stamp.read_text() == self._key

    def run(self, say: Say) -> None:
        # Removed first: an interrupted change must not look complete.
        self._stamp.unlink(missing_ok=True)
        self.make(say)
        self._stamp.parent.mkdir(parents=True, exist_ok=True)
        self._stamp.write_text(self._key)

    @property
    def _stamp(self) -> Path:
        return TOOLS / "stamps" / self.name.replace(" ", "-")

    @property
    def _key(self) -> str:
        return hashlib.sha256(self.inputs.encode()).hexdigest()


def run(command: list[str], say: Say, *, log: str, environment: dict[str, str] | None = None) -> None:
    """Runs a command, shows its last line, keeps its output in `.millrace/tools/logs/<log>.log`."""
    path = TOOLS / "logs" / f"{log}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    last: list[str] = []
    if shutil.which(command[0]) is None:
        raise SetupError(
            f"{command[0]} is not installed\n  to do: `make doctor` says how to get it, then `make setup` again"
        )
    with (
        path.open("a") as file,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        ) as process,
    ):
        for line in process.stdout or ():
            file.write(line)
            if line.strip():
                last = [*last[-9:], line.rstrip()]
                say(line.strip())
    if process.returncode != 0:
        ended = f"signal {signal.Signals(-process.returncode).name}" if process.returncode < 0 else process.returncode
        shown = "\n    ".join(last)
        raise SetupError(
            f"{Path(command[0]).name} failed ({ended})\n    {shown}\n  log:   {path}\n"
            "  to do: `make doctor` says what the machine lacks; `make setup` goes on from here"
        )


@contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """A folder on the same disk as `target`, removed at the end, so that a finished thing is renamed into place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_in_place(made: Path, target: Path) -> None:
    """Renames a finished file or folder to its place; a folder that was there goes first."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    made.replace(target)


def copy_cheaply(source: Path, target: Path) -> None:
    """A hard link where the disk allows it, otherwise a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
