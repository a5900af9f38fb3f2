"""A Postgres of its own for one test file: up within seconds, beside every stack; stopped and started by the test."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from infra.env_file import ensure_env_file
from infra.services import postgres, postgres_server
from millrace.settings import STANDARD_PORTS, Settings, get_settings


@dataclass
class Alone:
    """The server. While it lives, the settings of this process name it."""

    settings: Settings
    environment: dict[str, str]
    """What a process needs in its environment for the same settings."""
    _process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        launch = postgres_server.launch(postgres.SERVER, self.settings)
        self._process = subprocess.Popen(launch.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        deadline = time.monotonic() + 60
        while waiting := postgres_server.waiting_for(postgres.SERVER, self.settings):
            assert self._process.poll() is None, waiting
            assert time.monotonic() < deadline, waiting
            time.sleep(0.05)

    def stop(self) -> None:
        """End every session and the server, cleanly."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
            self._process = None

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.settings.postgres_dsn("warehouse"), autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def postgres_alone() -> Iterator[Alone]:
    """A server that is gone, with its data, after the block.

    Not below pytest's own folder: each session of pytest shuts it to other users, and as root the server is one.
    """
    with TemporaryDirectory(prefix="millrace-alone-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with _running(Path(folder)) as server:
            yield server


@contextmanager
def _running(folder: Path) -> Iterator[Alone]:
    environment = {
        "MILLRACE_HOME": str(folder),
        "MILLRACE_ENV_FILE": str(folder / ".env"),
        "MILLRACE_PORT_OFFSET": str(free_port() - STANDARD_PORTS["postgres"]),
    }
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        get_settings.cache_clear()
        ensure_env_file(folder / ".env")
        server = Alone(get_settings(), environment)
        postgres_server.prepare(postgres.SERVER, server.settings)
        try:
            server.start()
            postgres.complete(server.settings)
            yield server
        finally:
            server.stop()
    get_settings.cache_clear()


def free_port() -> int:
    """A port below those of outgoing connections: a client that tries a dead port there may meet itself."""
    # Two runs of the tests at once look from different ports on, or both would take the one that they both find free.
    first = 25_000 + os.getpid() % 6_000
    for port in range(first, first + 1_000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
