"""The services of the native stack, through the supervisord that keeps them alive. No stage calls this: drills do."""

import time
from contextlib import suppress

import psutil

from infra.stack import supervisor
from millrace.contract.errors import MillraceError
from millrace.settings import get_settings

LOOK_SECONDS = 0.2


def pid(service: str) -> int | None:
    """The process id of a service; None if it does not run."""
    info = supervisor.states(get_settings()).get(service)
    return int(info["pid"]) if info and info["statename"] == "RUNNING" else None


def kill(service: str) -> int:
    """Kill a service, its children too, with a signal that it cannot handle; returns the id that its process had.

    Raises:
        MillraceError: If it does not run under the supervisor of this stack.
    """
    found = demand_pid(service)
    process = psutil.Process(found)
    for one in (*process.children(recursive=True), process):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    return found


def stop(service: str) -> int:
    """End a service, which stays down until `start`; returns the id that its process had.

    Raises:
        MillraceError: If it does not run under the supervisor of this stack.
    """
    found = demand_pid(service)
    supervisor.calls(get_settings()).stopProcess(service)
    return found


def start(service: str, *, patience_seconds: float = 60) -> int:
    """Start a service, and wait until its process runs; returns its id. Harmless when it runs.

    Raises:
        MillraceError: If it does not come up in time.
    """
    settings, deadline = get_settings(), time.monotonic() + patience_seconds
    while (found := pid(service)) is None:
        if time.monotonic() > deadline:
            raise _not_running(service)
        if supervisor.states(settings).get(service, {}).get("statename") in supervisor.STOPPED:
            supervisor.calls(settings).startProcess(service, False)
        time.sleep(LOOK_SECONDS)
    return found


def restart(service: str) -> int:
    """End a service and start it anew; returns the id of its new process.

    Raises:
        MillraceError: If it does not run under the supervisor of this stack, or does not come up again.
    """
    demand_pid(service)
    try:
        supervisor.calls(get_settings()).stopProcess(service)
    finally:
        started = start(service)
    return started


def demand_pid(service: str) -> int:
    """The process id of a service.

    Raises:
        MillraceError: If it does not run under the supervisor of this stack.
    """
    found = pid(service)
    if found is None:
        raise _not_running(service)
    return found


def _not_running(service: str) -> MillraceError:
    settings = get_settings()
    state = supervisor.states(settings).get(service, {}).get("statename", "unknown to a supervisor")
    return MillraceError(
        f"Service {service} does not run",
        place=f"the native stack in {settings.home}",
        found=state,
        expected="RUNNING, under supervisord",
        fix="`make up` starts it; a stack of containers has no supervisord, and no drill that stops a service",
    )
