"""`make down`: no process of the stack is left."""

import xmlrpc.client

import psutil

from infra import keep
from infra.stack import supervisor
from infra.stack.launching import mark
from millrace.settings import Settings


def bring_down(settings: Settings) -> int:
    """Stops all services, supervisord last, then whatever they left behind; returns how many leftovers were ended."""
    process = supervisor.daemon(settings)
    if process is not None:
        rpc = supervisor.calls(settings)
        try:
            # The databases last: the others still write to them while they stop.
            for name in reversed([info["name"] for info in rpc.getAllProcessInfo()]):
                if rpc.getProcessInfo(name)["statename"] in ("RUNNING", "STARTING", "BACKOFF"):
                    rpc.stopProcess(name, False)
            rpc.shutdown()
        except (OSError, xmlrpc.client.Error):
            process.terminate()
        try:
            process.wait(timeout=90)
        except psutil.TimeoutExpired:
            process.kill()
    return keep.end_marked(mark(settings))
