"""`python -m infra.setup`: makes what is missing, side by side. Interrupted, the next run goes on."""

import fcntl
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console

from infra import env_file
from infra.paths import TOOLS
from infra.progress import Board, board
from infra.setup import maven, minio, python_environments
from infra.setup.building import SetupError, Task


def main() -> None:
    console = Console(highlight=False)
    TOOLS.mkdir(parents=True, exist_ok=True)
    # Every user must get through to the Postgres binaries: as root, the server runs as nobody.
    for folder in (TOOLS.parent, TOOLS):
        folder.chmod(folder.stat().st_mode | 0o011)
    # Two set-ups at once (two terminals) would write into the same places: the second waits, then finds all there.
    with (TOOLS / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        base = str(getattr(sys, "_base_executable", sys.executable))
        tasks = [*minio.tasks(), *python_environments.tasks(base), *maven.tasks()]
        missing = [task for task in tasks if not task.is_there()]
        if missing and not make(missing, console):
            sys.exit(1)
    env_file.main()


def make(tasks: list[Task], console: Console) -> bool:
    """Runs all tasks at once (each waits mostly for the network or for one core); says whether all succeeded."""
    began = time.monotonic()
    with board(console) as shown, ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        ok = all(list(pool.map(lambda task: _one(task, shown), tasks)))
    if ok:
        console.print(f"Set up in {time.monotonic() - began:.0f} s.")
    return ok


def _one(task: Task, shown: Board) -> bool:
    began = time.monotonic()
    shown.say(task.name, "looking")
    try:
        task.run(lambda words: shown.say(task.name, words))
    except (SetupError, OSError, ValueError) as error:
        shown.done(task.name, str(error).replace("[", "\\["), ok=False)
        return False
    shown.done(task.name, f"{time.monotonic() - began:.0f} s")
    return True


if __name__ == "__main__":
    main()
