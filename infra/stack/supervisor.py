"""supervisord as a library: its configuration, its daemon, its calls.

It keeps processes alive and rotates their logs. It knows neither order nor readiness: those are in `up.py`.
"""

import os
import shlex
import subprocess
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from infra.files import write_private
from infra.paths import ROOT, VENV, short_folder
from infra.services import wanted
from infra.services.service import Service
from infra.stack.launching import write_launch_file
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

STOP_SECONDS = 60
STOPPED = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")

HEAD = """\
[unix_http_server]
file = {sock}
chmod = 0700

[supervisord]
identifier = millrace
logfile = {logs}/supervisord.log
logfile_maxbytes = 5MB
logfile_backups = 2
pidfile = {run}/supervisord.pid
childlogdir = {logs}
directory = {root}
strip_ansi = true
{user}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{sock}
"""

# Started by `up` in order; from then on restarted whatever the exit code. The number of retries is for a dependency
# that is itself just being healed: each wait is a second longer than the one before.
PROGRAM = """
[program:{name}]
command = {command}
autostart = false
autorestart = true
startsecs = 2
startretries = 20
stopsignal = {stop_signal}
stopwaitsecs = {stop_seconds}
stopasgroup = {as_group}
killasgroup = true
redirect_stderr = true
stdout_logfile = {logs}/{name}.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
"""


def logs_folder(settings: Settings) -> Path:
    return settings.home / "logs"


def write_configuration(services: list[Service], settings: Settings) -> None:
    """Writes supervisord's configuration and the launch file of each service."""
    run, logs, short = settings.home / "run", logs_folder(settings), short_folder(settings.home)
    for folder in (run, logs, short):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if short.stat().st_uid != os.getuid():
        raise MillraceError(
            "the folder of the sockets belongs to someone else",
            place=str(short),
            found=f"user id {short.stat().st_uid}",
            expected=f"user id {os.getuid()}",
            fix=f"remove {short}, or set MILLRACE_HOME to another folder",
        )
    user = "user = root" if os.getuid() == 0 else ""
    text = HEAD.format(sock=_socket(settings), logs=logs, run=run, root=ROOT, user=user)
    for service in services:
        launch_file, stamp = write_launch_file(service, settings)
        text += PROGRAM.format(
            name=service.name,
            command=shlex.join([str(VENV / "bin" / "python"), "-I", f"{ROOT}/infra/keep.py", str(launch_file), stamp]),
            stop_signal=service.stop_signal,
            stop_seconds=service.stop_seconds,
            as_group="true" if service.stop_signal == "TERM" else "false",
            logs=logs,
        )
    # supervisord expands %(names)s; a folder's name may hold a per cent sign.
    write_private(_configuration(settings), text.replace("%", "%%"))


def daemon(settings: Settings) -> psutil.Process | None:
    """The running supervisord of this state folder, if there is one."""
    try:
        pid = int((settings.home / "run" / "supervisord.pid").read_text())
        process = psutil.Process(pid)
        ours = str(_configuration(settings)) in process.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return process if ours and process.status() != psutil.STATUS_ZOMBIE else None


def start_daemon(settings: Settings, *, patience_seconds: float = 20) -> None:
    """Starts supervisord in the background and waits until it answers."""
    command = [str(VENV / "bin" / "supervisord"), "-c", str(_configuration(settings))]
    # Its own environment stays without our mark: it must not be taken for a leftover of a service.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
    deadline = time.monotonic() + patience_seconds
    while done.returncode == 0 and time.monotonic() < deadline:
        try:
            calls(settings).getState()
            return
        except (OSError, xmlrpc.client.Error):
            time.sleep(0.1)
    raise MillraceError(
        "supervisord did not start",
        place=str(logs_folder(settings) / "supervisord.log"),
        found=(done.stderr or done.stdout).strip()[-600:] or f"no answer within {patience_seconds:.0f} s",
        expected="an answer on its socket",
        fix="read that log; `make down` and `make up` start afresh",
    )


def calls(settings: Settings) -> Any:
    """supervisord's XML-RPC interface (its own documentation names the calls)."""
    transport = SupervisorTransport(None, None, f"unix://{_socket(settings)}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def apply_configuration(settings: Settings) -> list[str]:
    """Makes a running daemon take the written configuration; returns the services that it had to stop for that."""
    rpc = calls(settings)
    added, changed, removed = rpc.reloadConfig()[0]
    stop({*changed, *removed}, settings)
    for name in (*changed, *removed):
        rpc.removeProcessGroup(name)
    for name in (*added, *changed):
        rpc.addProcessGroup(name)
    return [*changed, *removed]


def states(settings: Settings) -> dict[str, dict[str, Any]]:
    """What supervisord knows of each service (statename, pid, start, now …), by name; empty when it is down."""
    if daemon(settings) is None:
        return {}
    return {info["name"]: info for info in calls(settings).getAllProcessInfo()}


def stop(names: set[str], settings: Settings, say: Callable[[str], None] = lambda _words: None) -> None:
    """Stops services, each after those that need it (they still write to it while they stop), and waits for all."""
    after = {service.name: service.after for service in wanted(settings)}
    remaining = set(names)
    while remaining:
        wave = remaining - {needed for name in remaining for needed in after.get(name, ())}
        remaining -= wave
        rpc, deadline = calls(settings), time.monotonic() + STOP_SECONDS
        for name in wave:
            if rpc.getProcessInfo(name)["statename"] not in (*STOPPED, "STOPPING"):
                rpc.stopProcess(name, False)
        while time.monotonic() < deadline:
            known = states(settings)
            if not (left := sorted(name for name in wave if known[name]["statename"] not in STOPPED)):
                break
            say("stopping " + ", ".join(left))
            time.sleep(0.2)


def log_tail(service: str, settings: Settings, *, lines: int = 15) -> str:
    """The last lines of a service's log."""
    path = logs_folder(settings) / f"{service}.log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"


def _configuration(settings: Settings) -> Path:
    return settings.home / "run" / "supervisord.conf"


def _socket(settings: Settings) -> Path:
    return short_folder(settings.home) / "supervisor.sock"
