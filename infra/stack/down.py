"""`make down`: no process of the stack is left."""

import xmlrpc.client
from collections.abc import Callable

import psutil

from infra.stack import supervisor
from infra.stack.leftovers import end_leftovers
from millrace.settings import Settings

PATIENCE_SECONDS = 30


def bring_down(settings: Settings, *, say: Callable[[str], None]) -> int:
    """Stops all services, supervisord last, then whatever they left behind; returns how many leftovers were ended."""
    process = supervisor.daemon(settings)
    if process is not None:
        try:
            supervisor.stop(set(supervisor.states(settings)), settings, say)
            supervisor.calls(settings).shutdown()
        except (OSError, xmlrpc.client.Error):
            process.terminate()
        try:
            process.wait(timeout=PATIENCE_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
    return end_leftovers(settings)
