"""Becomes a service's process, after ending what an earlier life of the same service left behind.

`python -I infra/keep.py <launch file>`; started by supervisord for every (re)start. A killed parent (Ray's raylet,
MLflow's server, an Airflow scheduler, supervisord itself) leaves children that hold its ports. They are known by the
mark that each process of a service inherits in its environment. Standard library only: this runs at every restart.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

MARK = "MILLRACE_SERVICE"


def marked_processes(mark: str) -> list[int]:
    """Processes that carry a mark beginning with `mark`, without this one and its ancestors."""
    wanted = f"{MARK}={mark}".encode()
    spared = ancestors(os.getpid())
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) in spared:
            continue
        try:
            environment = Path(entry.path, "environ").read_bytes()
        except OSError:
            continue  # ended meanwhile, or another user's
        if any(line.startswith(wanted) for line in environment.split(b"\0")):
            found.append(int(entry.name))
    return found


def ancestors(pid: int) -> set[int]:
    """`pid` and all its parents."""
    family = set()
    while pid > 0:
        family.add(pid)
        # The name, in brackets, may hold spaces; the parent is the second field after it.
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return family


def end_marked(mark: str, *, first: signal.Signals = signal.SIGTERM, patience_seconds: float = 5) -> int:
    """Ends every process of the mark and waits until none is left; returns how many there were."""
    ended: set[int] = set()
    deadline = time.monotonic() + patience_seconds
    while left := marked_processes(mark):
        late = time.monotonic() > deadline
        for pid in left:
            if late or pid not in ended:
                try:
                    os.kill(pid, signal.SIGKILL if late else first)
                except ProcessLookupError:
                    continue
        ended.update(left)
        time.sleep(0.05)
    return len(ended)


def start_beside(argv: list[str], environment: dict[str, str]) -> None:
    """Starts a process that is nobody's child, so that the service need not reap it."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvpe(argv[0], argv, environment)
        os._exit(0)
    os.waitpid(pid, 0)


def main(launch_file: str) -> None:
    launch = json.loads(Path(launch_file).read_text())
    count = end_marked(launch["mark"], first=signal.Signals[f"SIG{launch['stop_signal']}"])
    if count:
        print(f"ended {count} leftover processes of an earlier life", flush=True)
    # Its time is the start of this life: what was seen before it says nothing about this process.
    Path(launch_file).with_suffix(".started").touch()
    environment = {**launch["environment"], MARK: launch["mark"]}
    os.chdir(launch["folder"])
    if launch["companion"]:
        start_beside(launch["companion"], environment)
    os.execvpe(launch["argv"][0], launch["argv"], environment)


if __name__ == "__main__":
    main(sys.argv[1])
