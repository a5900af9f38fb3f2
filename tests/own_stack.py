"""The tests' own stack: a second one beside whatever runs in this clone, with its own state, secrets and ports.

`enter` makes this process (and what it starts) belong to that stack; it starts nothing. Airflow's four processes are
left out until a journey asks for them: `dag.test` needs none, and a live scheduler would react to what tests write.
"""

import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import TextIO

from infra.env_file import ensure_env_file
from infra.services import of_profile
from infra.services.airflow import environment as airflow_environment
from infra.stack import supervisor
from infra.stack.down import bring_down
from infra.stack.up import bring_up
from millrace.adapters import supervised
from millrace.settings import ROOT, env_file, get_settings

# Below 32768, so that no outgoing connection of this machine can sit on a port of the stack.
PORT_OFFSET = 10_000
HOME = Path(".millrace/pytest")
PROBLEMS = HOME / "problems"

_session: list[TextIO] = []
_found_running: list[bool] = []


def enter() -> None:
    """Set the environment of this process. Before anything reads settings or imports Airflow."""
    os.environ |= {
        "MILLRACE_HOME": str(HOME),
        "MILLRACE_ENV_FILE": str(HOME / ".env"),
        "MILLRACE_PORT_OFFSET": str(PORT_OFFSET),
        "MILLRACE_PROBLEMS_DIR": str(PROBLEMS),
        # A test waits for the keeper's next look, or the one after.
        "MILLRACE_CONNECTORS_LOOK_SECONDS": "1",
    }
    (ROOT / PROBLEMS).mkdir(parents=True, exist_ok=True)
    ensure_env_file(env_file())
    get_settings.cache_clear()
    os.environ |= airflow_environment(get_settings()) | _airflow_of_this_process()


def start(*, airflow: bool = False) -> None:
    """Bring the stack up, with or without Airflow's processes; what runs already is left alone."""
    settings = get_settings()
    if not _session:
        file = (ROOT / HOME / "sessions.lock").open("w")
        if _lock_alone(file):
            clear_problems()
            # Kept from an earlier session, they may run the code of that day.
            for service in ("serving_1", "serving_2"):
                if supervised.pid(service):
                    supervised.stop(service)
        fcntl.flock(file, fcntl.LOCK_SH)
        _session.append(file)
        _found_running.append(supervisor.daemon(settings) is not None)
    wanted = [service for service in of_profile("core", settings) if airflow or not is_airflow(service.name)]
    began = time.monotonic()
    bring_up(wanted, settings, say=lambda _name, _words: None, done=lambda _name, _words: None)
    print(f"\nthe tests' stack is up{' with Airflow' if airflow else ''} ({time.monotonic() - began:.0f} s)")


def stop_airflow() -> None:
    """End Airflow's processes, so that nobody reacts to what the next tests write."""
    for service in of_profile("core", get_settings()):
        if is_airflow(service.name) and supervised.pid(service.name):
            supervised.stop(service.name)


def stop() -> None:
    """End every process of the stack, unless it ran before this session, or another session uses it."""
    if _found_running == [False] and _lock_alone(_session[0]):
        bring_down(get_settings(), say=lambda _words: None)


def was_used() -> bool:
    return bool(_session)


def is_airflow(service: str) -> bool:
    return service.startswith("airflow_")


def clear_problems() -> None:
    """Forget the problem files of earlier tests, so that Airflow makes DAGs for none of them."""
    for path in (ROOT / PROBLEMS).glob("*.yaml"):
        path.unlink()


def _airflow_of_this_process() -> dict[str, str]:
    """`dag.test` writes to a database of its own, made anew in a second: no scheduler reacts to its events."""
    folder = ROOT / HOME / "airflow-of-tests" / str(os.getpid())
    for old in folder.parent.glob("*"):
        if not Path("/proc", old.name).exists():
            shutil.rmtree(old)
    folder.mkdir(parents=True)
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"sqlite+aiosqlite:///{folder}/airflow.db",
        # Great Expectations beside Airflow's structlog prints hundreds of registrations.
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }


def _lock_alone(file: TextIO) -> bool:
    """Whether no other session uses the stack. Each session holds a shared lock while it does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
