"""What the stack knows about a service, and what its process is started with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.paths import ROOT
from millrace.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One process as it is started. `companion` runs beside each start of it, for what a fresh process needs once."""

    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = ROOT
    companion: list[str] | None = None


def started_file(service: str, settings: Settings) -> Path:
    """Touched at each start of the service's process (`infra/keep.py`), beside its launch file."""
    return settings.home / "run" / f"{service}.started"


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service of the stack.

    `port` and `more_ports` are keys of `STANDARD_PORTS`; who listens on `port` tells whether it runs. `after` are the
    services that must be ready before. `prepare` runs before the process starts, `complete` after it is ready; both are
    repeated at each `up` and must do nothing the second time. `waiting_for` says in words what is missing, or None
    when the service is ready.
    """

    name: str
    title: str
    profile: str = "core"
    port: str | None = None
    more_ports: tuple[str, ...] = ()
    launch: Callable[[Settings], Launch]
    waiting_for: Callable[[Settings], str | None]
    after: tuple[str, ...] = ()
    prepare: Callable[[Settings], None] | None = None
    complete: Callable[[Settings], None] | None = None
    wanted: Callable[[Settings], bool] = lambda _settings: True
    patience_seconds: float = 60
    stop_signal: str = "TERM"
    stop_seconds: int = 15
