"""A replica in a process of its own, and clients that remember every id they were answered."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from millrace.settings import ROOT
from tests.postgres_alone import Alone, free_port
from tests.serving.a_key import BEARER
from tests.serving.replica_alone import PACKAGE
from tests.serving.test_routes import PERSON
from tests.serving.world import package

PREDICT = "/v1/models/diabetes/predict"
IDS = "SELECT id::text FROM predictions.diabetes"


@dataclass
class Replica:
    """One replica over a spool folder. Started again, it finds what it left."""

    environment: dict[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    # Kept: to make one costs more than to ask a hundred times.
    asking: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=5))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "--factory",
            "tests.serving.replica_alone:app",
            f"--port={self.port}",
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--no-access-log"], cwd=ROOT, env=os.environ | self.environment, stdout=log, stderr=log
            )
        wait_for(lambda: self.told() is not None, "the replica answers", self)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, by: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(by)
            self.process.wait(30)
            self.process = None

    def told(self) -> dict[str, Any] | None:
        """What it tells of its store; None while it does not answer."""
        try:
            store: dict[str, Any] = self.asking.get(f"{self.url}/readyz").json()["store"]
        except httpx.HTTPError:
            return None
        return store


@dataclass
class Load:
    """Clients that predict, one row after the other, until the block ends."""

    url: str
    answered: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    """0: nobody answered."""
    refusals: list[httpx.Response] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def until(self, condition: Callable[[], object], words: str) -> None:
        wait_for(condition, words, self.statuses)

    def answers(self, more: int) -> None:
        """Wait until so many more are answered."""
        enough = len(self.answered) + more
        self.until(lambda: len(self.answered) >= enough, f"{more} more answers")

    def work(self, number: int) -> None:
        client = httpx.Client(base_url=self.url, timeout=10, headers=BEARER)
        rows = [{**PERSON, "Age": 21 + (number + at) % 50} for at in range(7)]
        sent = 0
        while not self._stop.is_set():
            sent += 1
            try:
                # Every tenth request is a batch, of which one row is refused.
                if sent % 10:
                    answer = client.post(PREDICT, json=rows[sent % 7])
                else:
                    answer = client.post(f"{PREDICT}/batch", json={"rows": [*rows, {"Age": -1}]})
            except httpx.HTTPError:
                self.statuses[0] += 1
                time.sleep(0.1)  # A replica that starts needs the processor more.
                continue
            self.statuses[answer.status_code] += 1
            if answer.status_code != 200:
                self.refusals.append(answer)
                time.sleep(0.02)
                continue
            told = answer.json()
            predictions = told.get("predictions", [told])
            self.answered += [one["prediction_id"] for one in predictions if "prediction_id" in one]
        client.close()


@contextmanager
def replica(server: Alone, folder: Path, **settings: str) -> Iterator[Replica]:
    """A replica that is not started yet; its process ends with the block."""
    model = folder / "package"
    model.mkdir()
    for name, content in package("diabetes", estimator="logistic_regression").items():
        (model / name).write_bytes(content)
    environment = server.environment | {"MILLRACE_SPOOL_DIR": str(folder / "spool"), PACKAGE: str(model), **settings}
    one = Replica(environment, folder / "replica.log")
    try:
        yield one
    finally:
        one.kill()


@contextmanager
def load(url: str, clients: int = 4) -> Iterator[Load]:
    """Clients at work while the block runs."""
    one = Load(url)
    threads = [threading.Thread(target=one.work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield one
    finally:
        one._stop.set()
        for thread in threads:
            thread.join()


def stored(server: Alone, one: Replica) -> list[str]:
    """The ids in the table, once nothing waits any more."""
    wait_for(lambda: (told := one.told()) is not None and told["waiting_rows"] == 0, "everything is shipped", one)
    return [str(found) for (found,) in server.rows(IDS)]


def wait_for(condition: Callable[[], object], words: str, told: object = "", *, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {words}; {told}"
        time.sleep(0.1)
