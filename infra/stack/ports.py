"""Who listens on which port, and is it ours?"""

import os

import psutil

from infra.keep import MARK
from infra.services.service import Service
from infra.stack.launching import mark
from millrace.contract.errors import MillraceError
from millrace.settings import Settings


def listeners() -> dict[int, int | None]:
    """The process id that listens on each TCP port; None when the system does not tell (another user's process)."""
    found: dict[int, int | None] = {}
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr:
            found[connection.laddr.port] = connection.pid or found.get(connection.laddr.port)
    return found


def is_ours(pid: int | None, service: Service, settings: Settings, supervisord: psutil.Process | None) -> bool:
    """Does the process belong to that service of this very stack: by its mark, or below our supervisord?"""
    if pid is None:
        return False
    try:
        process = psutil.Process(pid)
        if process.environ().get(MARK) == mark(settings, service.name):
            return True
        # Postgres's processes belong to nobody, whose environment root can read but others cannot.
        return supervisord is not None and supervisord in process.parents()
    except psutil.Error:
        return False


def refuse_foreign_listener(service: Service, settings: Settings, supervisord: psutil.Process | None) -> None:
    """Raises when someone else listens on a port of the service: what answers there must never be used as ours."""
    if service.port is None:
        return
    known = listeners()
    for port in map(settings.port, (service.port, *service.more_ports)):
        if port in known and not is_ours(known[port], service, settings, supervisord):
            raise MillraceError(
                f"the port of {service.title} is taken",
                place=f"127.0.0.1:{port}",
                found=describe(known[port]),
                expected="a free port",
                fix="end that process, or shift all ports of this stack: set MILLRACE_PORT_OFFSET=100 in the env file",
            )


def describe(pid: int | None) -> str:
    """A process in words, without its arguments' secrets: id, name, user, program."""
    if pid is None:
        return f"a process of another user (you are user id {os.getuid()})"
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return f"process {pid} ({process.name()}) of {process.username()}, in {process.cwd()}"
    except psutil.Error:
        return f"process {pid}"
