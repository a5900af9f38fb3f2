"""Processes of the stack that nobody watches any more: left behind when supervisord itself was killed."""

import signal

from infra import keep
from infra.services import wanted
from infra.stack.launching import mark
from millrace.settings import Settings


def end_leftovers(settings: Settings) -> int:
    """Ends them, each service by its own signal and what others need last; returns how many there were."""
    count = 0
    for service in reversed(wanted(settings)):
        count += keep.end_marked(mark(settings, service.name), first=signal.Signals[f"SIG{service.stop_signal}"])
    return count + keep.end_marked(mark(settings))
