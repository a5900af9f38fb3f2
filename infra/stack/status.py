"""`make status`: each service with state, process, age, memory, address; the memory of all against the goal."""

import time
from dataclasses import dataclass

import psutil
from rich.table import Table

from infra.services import wanted
from infra.services.service import Service
from infra.stack import supervisor
from millrace.settings import Settings

# Of the core profile, idle (issue: changes).
MEMORY_GOAL_BYTES = 8 * 1024**3
COLOURS = {"RUNNING": "green", "STARTING": "yellow", "BACKOFF": "yellow", "down": "dim"}


@dataclass(frozen=True)
class ServiceState:
    """What is seen of one service. Memory is its process tree's proportional set size: shared pages count once."""

    service: Service
    state: str
    missing: str | None
    pid: int | None
    age_seconds: float | None
    memory_bytes: int

    @property
    def healthy(self) -> bool:
        # supervisord says STARTING for two seconds, whether or not the service answers already.
        return self.state in ("RUNNING", "STARTING") and self.missing is None


def look(settings: Settings) -> list[ServiceState]:
    """The state of every service that the configuration wants, of all profiles."""
    known = supervisor.states(settings)
    found = []
    for service in wanted(settings):
        info = known.get(service.name)
        if info is None or info["statename"] == "STOPPED":
            found.append(ServiceState(service, "down", None, None, None, 0))
            continue
        running = info["statename"] in ("RUNNING", "STARTING")
        found.append(
            ServiceState(
                service=service,
                state=info["statename"],
                missing=service.waiting_for(settings) if running else info["spawnerr"] or "not running",
                pid=info["pid"] or None,
                age_seconds=info["now"] - info["start"] if running else None,
                memory_bytes=_tree_bytes(info["pid"]),
            )
        )
    return found


def table(states: list[ServiceState], settings: Settings) -> Table:
    """The picture of `look`."""
    shown = Table(box=None, pad_edge=False, header_style="dim", footer_style="bold", show_footer=True)
    total = sum(state.memory_bytes for state in states)
    shown.add_column("service")
    shown.add_column("state")
    shown.add_column("pid", justify="right")
    shown.add_column("up", justify="right")
    shown.add_column("memory", justify="right", footer=f"{total / 1024**2:,.0f} MB")
    shown.add_column("address", footer=f"of a goal of {MEMORY_GOAL_BYTES / 1024**2:,.0f} MB")
    for state in states:
        colour = COLOURS.get(state.state, "red")
        words = "ready" if state.healthy else state.state.lower() + (f": {state.missing}" if state.missing else "")
        shown.add_row(
            state.service.title,
            f"[{colour if state.healthy or state.state == 'down' else 'yellow'}]{words}[/]",
            str(state.pid or ""),
            _age(state.age_seconds),
            f"{state.memory_bytes / 1024**2:,.0f} MB" if state.memory_bytes else "",
            f"127.0.0.1:{settings.port(state.service.port)}" if state.service.port else "",
        )
    return shown


def _tree_bytes(pid: int) -> int:
    if not pid:
        return 0
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for member in family:
        try:
            total += member.memory_full_info().pss
        except psutil.Error:
            continue  # ended meanwhile
    return total


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return time.strftime("%H:%M:%S", time.gmtime(seconds)) if seconds < 86_400 else f"{seconds / 86_400:.1f} d"
