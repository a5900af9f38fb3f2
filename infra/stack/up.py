"""`make up`: every service of a profile, each as soon as what it needs is ready. Harmless when all is up already."""

import fcntl
import threading
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from infra.services import wanted
from infra.services.service import Service, started_file
from infra.stack import supervisor
from infra.stack.leftovers import end_leftovers
from infra.stack.ports import is_ours, listeners, refuse_foreign_listener
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

Say = Callable[[str, str], None]
LOOK_SECONDS = 0.3
# supervisord would go on for minutes; when nothing is up yet, a person should hear of it soon.
STARTS_AT_MOST = 4


def bring_up(services: list[Service], settings: Settings, *, say: Say, done: Say) -> None:
    """Starts what is not running and waits until every service is ready.

    `say(service, words)` and `done(service, words)` are called from several threads. Raises `MillraceError` that names
    the first service that failed, why, and its last log lines; the others are left as they are.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with _only_one_at_a_time(settings):
        if supervisor.daemon(settings) is None:
            # Left behind when supervisord itself was killed: nobody would restart them, and they hold the ports.
            end_leftovers(settings)
            supervisor.write_configuration(wanted(settings), settings)
            for service in services:
                refuse_foreign_listener(service, settings, None)
            supervisor.start_daemon(settings)
        else:
            supervisor.write_configuration(wanted(settings), settings)
            for name in supervisor.apply_configuration(settings):
                say(name, "stopped: its configuration changed")
        _start_in_order(services, settings, say, done)


def _start_in_order(services: list[Service], settings: Settings, say: Say, done: Say) -> None:
    names = {service.name for service in services}
    waiting = {service.name: service for service in services}
    running: dict[Future[str], str] = {}
    ready: set[str] = set()
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=len(services), thread_name_prefix="up") as pool:
        try:
            while waiting or running:
                for service in list(waiting.values()):
                    if set(service.after) & names <= ready:
                        running[pool.submit(_start, service, settings, say, stop)] = waiting.pop(service.name).name
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    name = running.pop(future)
                    done(name, future.result())
                    ready.add(name)
        finally:
            # Also when a person interrupts: the others' threads end at once instead of waiting on.
            stop.set()


def _start(service: Service, settings: Settings, say: Say, stop: threading.Event) -> str:
    """Starts one service if it is not running and waits for it; returns what to tell."""
    began = time.monotonic()
    rpc = supervisor.calls(settings)
    state = rpc.getProcessInfo(service.name)["statename"]
    fresh = state not in ("RUNNING", "STARTING", "BACKOFF")
    if fresh:
        refuse_foreign_listener(service, settings, supervisor.daemon(settings))
        if service.prepare:
            say(service.name, "preparing")
            service.prepare(settings)
        say(service.name, "starting")
        started_file(service.name, settings).unlink(missing_ok=True)
        try:
            rpc.startProcess(service.name, False)
        except xmlrpc.client.Fault as fault:
            raise _failed(service, settings, f"supervisord says {fault.faultString}") from fault
    _wait_until_ready(service, settings, say, stop)
    if service.complete and not stop.is_set():
        say(service.name, "completing")
        service.complete(settings)
    return f"ready in {time.monotonic() - began:.1f} s" if fresh else "ready (was up)"


def _wait_until_ready(service: Service, settings: Settings, say: Say, stop: threading.Event) -> None:
    deadline = time.monotonic() + service.patience_seconds
    starts: set[int] = set()
    while not stop.is_set():
        info = supervisor.calls(settings).getProcessInfo(service.name)
        state = info["statename"]
        starts.add(info["start"])
        if len(starts) > STARTS_AT_MOST:
            raise _failed(service, settings, f"its process ended {STARTS_AT_MOST} times")
        if state in supervisor.STOPPED:
            raise _failed(service, settings, f"its process is in state {state}")
        missing = service.waiting_for(settings)
        if missing is None and _answers_itself(service, settings):
            return
        if time.monotonic() > deadline:
            raise _failed(
                service, settings, f"not ready after {service.patience_seconds:.0f} s: {missing or 'not ours'}"
            )
        say(service.name, f"waiting: {missing}" if missing else "waiting")
        stop.wait(LOOK_SECONDS)


def _answers_itself(service: Service, settings: Settings) -> bool:
    """Is it our own process that answers on the port?"""
    if service.port is None:
        return True
    pid = listeners().get(settings.port(service.port))
    return is_ours(pid, service, settings, supervisor.daemon(settings))


def _failed(service: Service, settings: Settings, why: str) -> MillraceError:
    return MillraceError(
        f"{service.title} did not come up",
        place=str(supervisor.logs_folder(settings) / f"{service.name}.log"),
        found=f"{why}\n--- last lines of its log\n{supervisor.log_tail(service.name, settings)}\n---",
        expected=f"ready within {service.patience_seconds:.0f} s",
        fix="mend what the log says, then `make up` again; `make doctor` checks the machine",
    )


@contextmanager
def _only_one_at_a_time(settings: Settings) -> Iterator[None]:
    """Two `make up` at once would start everything twice: the second waits for the first."""
    with (settings.home / "up.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
