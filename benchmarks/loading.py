"""A server in a process of its own, and wrk that loads it: requests a second, latencies, the server's own CPU time."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.paths import VENV
from millrace.settings import ROOT
from tests.awaiting import await_that
from tests.serving.a_key import BEARER

SCRIPT = Path(__file__).parent / "wrk.lua"


@dataclass(frozen=True)
class Server:
    """A server that answers. `log`: what it writes, as the stack's supervisor would keep it."""

    url: str
    process: psutil.Process
    log: Path


@dataclass(frozen=True)
class Load:
    """What came of one run. Latencies in milliseconds; `cpu_microseconds`: the server's own, a request."""

    per_second: float
    p50: float
    p99: float
    cpu_microseconds: float
    failed: int


@contextmanager
def server(app: str, folder: Path, **environment: str) -> Iterator[Server]:
    """One process of `benchmarks.serving_apps`."""
    log = folder / f"{app}.log"
    command = [str(VENV / "bin" / "python"), "-m", "benchmarks.serving_apps", app]
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=out) as started,
    ):
        try:
            process = psutil.Process(started.pid)
            port = await_that(f"{app} listens", lambda: _port(process), seconds=120)
            yield Server(f"http://127.0.0.1:{port}", process, log)
        finally:
            started.terminate()


def load(target: Server, path: str, body: Path, *, seconds: int, connections: int) -> Load:
    """Load one route for some seconds."""
    before = sum(target.process.cpu_times()[:2])
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", "-s", str(SCRIPT)]
    done = subprocess.run(
        [*command, target.url + path],
        env=os.environ | {"WRK_BODY": str(body), "WRK_AUTHORIZATION": BEARER["authorization"]},
        capture_output=True,
        text=True,
        check=True,
    )
    spent = sum(target.process.cpu_times()[:2]) - before
    told = json.loads(done.stderr)
    requests = max(told["requests"], 1)
    return Load(
        requests / told["seconds"], told["p50"] / 1e3, told["p99"] / 1e3, spent / requests * 1e6, told["failed"]
    )


def _port(process: psutil.Process) -> int | None:
    """Where it listens, once it does."""
    found = process.net_connections("tcp")
    return next((one.laddr.port for one in found if one.status == psutil.CONN_LISTEN), None)
