"""A stack of two services beside all others: supervisord, Postgres and MinIO come up in three seconds."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from infra.env_file import ensure_env_file
from infra.paths import short_folder
from infra.services import wanted
from infra.services.postgres_server import outside_room
from infra.services.service import Service
from infra.stack import supervisor
from infra.stack.down import bring_down
from infra.stack.up import bring_up
from millrace.settings import ROOT, Settings

HOME = ROOT / ".millrace" / "infra-tests"
# No port of it meets one of the development stack (0) or of the tests' own (10,000).
PORT_OFFSET = 700


def settings() -> Settings:
    env = HOME / ".env"
    ensure_env_file(env)
    return Settings(_env_file=env, home=HOME, port_offset=PORT_OFFSET, s3_endpoint="", ray_address="")


def services(*names: str) -> list[Service]:
    return [service for service in wanted(settings()) if service.name in names]


def up(*names: str) -> list[str]:
    """Brings services up; returns what was told about each."""
    told: list[str] = []
    bring_up(services(*names), settings(), say=lambda *_: None, done=lambda name, words: told.append(f"{name} {words}"))
    return sorted(told)


def down() -> int:
    return bring_down(settings(), say=lambda _words: None)


def discard() -> None:
    """The same where the state goes, too: Connect would wait half a minute for a broker that a test has ended."""
    for name, told in supervisor.states(settings()).items():
        if name in ("kafka", "kafka_connect") and told["statename"] not in (*supervisor.STOPPED, "STOPPING"):
            # Told before, it is not started again.
            supervisor.calls(settings()).stopProcess(name, False)
            with suppress(ProcessLookupError):
                os.kill(told["pid"], signal.SIGKILL)
    down()


@contextmanager
def fresh() -> Iterator[Path]:
    """An empty state folder, nothing running before and after."""
    down()
    wipe()
    try:
        yield HOME
    finally:
        discard()
        wipe()


def wipe() -> None:
    for folder in (HOME, short_folder(HOME), outside_room(settings())):
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(condition: Callable[[], object], words: str, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {words}"
        time.sleep(0.1)
