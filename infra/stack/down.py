"""`make down`: no process of the stack is left."""

import time
import xmlrpc.client
from collections.abc import Callable

import psutil

from infra.services import PROFILES
from infra.stack import supervisor
from infra.stack.leftovers import end_leftovers
from millrace.settings import Settings

PATIENCE_SECONDS = 60
STOPPED = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")


def bring_down(settings: Settings, *, say: Callable[[str], None]) -> int:
    """Stops all services, supervisord last, then whatever they left behind; returns how many leftovers were ended."""
    process = supervisor.daemon(settings)
    if process is not None:
        needed = {name for services in PROFILES.values() for service in services for name in service.after}
        try:
            # What others need goes last: they still write to it while they stop.
            known = set(supervisor.states(settings))
            _stop(known - needed, settings, say)
            _stop(known, settings, say)
            supervisor.calls(settings).shutdown()
        except (OSError, xmlrpc.client.Error):
            process.terminate()
        try:
            process.wait(timeout=PATIENCE_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
    return end_leftovers(settings)


def _stop(names: set[str], settings: Settings, say: Callable[[str], None]) -> None:
    rpc, deadline = supervisor.calls(settings), time.monotonic() + PATIENCE_SECONDS
    for name in names:
        if rpc.getProcessInfo(name)["statename"] not in (*STOPPED, "STOPPING"):
            rpc.stopProcess(name, False)
    while time.monotonic() < deadline:
        states = supervisor.states(settings)
        left = sorted(name for name in names if states[name]["statename"] not in STOPPED)
        if not left:
            return
        say("stopping " + ", ".join(left))
        time.sleep(0.2)
