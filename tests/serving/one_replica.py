"""A replica as a process of its own, on a free port, with a champion and a key, and nothing around it.

`python -m tests.serving.one_replica <port>` is the process, `replica()` starts and ends it.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from millrace.settings import ROOT, Settings
from serving.guarding import Limits
from serving.json_logs import log_everything_to_stdout
from serving.server import server
from tests.serving.a_key import BEARER
from tests.serving.world import World, package


@dataclass
class Replica:
    """The running process, and its log so far."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=BEARER, timeout=10)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@contextmanager
def replica(log: Path, **settings: object) -> Iterator[Replica]:
    """A replica that answers, with settings of its own; ended at the end, however."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {f"MILLRACE_{name.upper()}": str(value) for name, value in settings.items()}
    # What the world of the tests warns of while it is imported is none of the replica's.
    command = [sys.executable, "-W", "ignore", "-m", "tests.serving.one_replica", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
    try:
        one = Replica(port, process, log)
        _await(one)
        yield one
    finally:
        process.kill()
        process.wait(10)


def _await(one: Replica) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            assert one.get("/readyz").status_code == 200
            return
        except (httpx.TransportError, AssertionError):
            assert one.process.poll() is None, one.log.read_text()
            assert time.monotonic() < deadline, one.log.read_text()
            time.sleep(0.1)


def main() -> None:
    settings = Settings(_env_file=None)
    log_everything_to_stdout("replica")
    world = World()
    world.deploy("diabetes", package("diabetes", estimator="logistic_regression"))
    watch = world.watch()
    watch.look()
    limits = Limits(body_seconds=settings.body_deadline_seconds)
    app = world.app(watch, limits=limits)
    server(app, "127.0.0.1", int(sys.argv[1]), settings).run()


if __name__ == "__main__":
    main()
