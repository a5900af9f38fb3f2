"""A real replica, started where neither Postgres nor the store answers, with what an earlier one left on its disk."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from millrace.adapters.champions import Champion
from millrace.domain.package import content_hash
from millrace.settings import ROOT
from serving import package_cache
from serving.key_ring import KeyRing
from tests.awaiting import await_that
from tests.serving.a_key import BEARER, KEY
from tests.serving.world import package

PATIENCE_SECONDS = 120
NOBODY_THERE = "40000"
"""An offset of ports at which no service of any stack is."""
ROW = {"Pregnancies": 2, "Glucose": 120, "BloodPressure": 70, "SkinThickness": None, "Insulin": 0, "BMI": 30.5}
ROW |= {"DiabetesPedigreeFunction": 0.4, "Age": 40}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    files = package("diabetes")
    uri, now = "s3://models/diabetes/packages/x/", datetime.now(UTC)
    champion = Champion("diabetes", 7, uri, content_hash(files), 9, 8, "deploy", "the gate", now, "123")
    package_cache.save(tmp_path / "packages" / "alone", champion, files)
    KeyRing(lambda: [KEY], tmp_path / "packages" / "alone-keys.json").look()
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = os.environ | {
        "MILLRACE_REPLICA": "alone",
        "MILLRACE_PACKAGE_CACHE": str(tmp_path / "packages"),
        "MILLRACE_SPOOL_DIR": str(tmp_path / "spool"),
        "MILLRACE_PORT_OFFSET": NOBODY_THERE,
    }
    command = [sys.executable, "-m", "uvicorn", "serving.app:app", f"--port={port}", "--no-access-log"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_SECONDS)


def test_it_answers_from_its_disk_and_says_so(url: str) -> None:
    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    await_that("the replica serves", ready, seconds=PATIENCE_SECONDS)
    told = httpx.get(f"{url}/readyz").json()
    assert (list(told["from_cache"]), told["serves"]) == (["diabetes"], {"diabetes": 7})
    assert "cannot be reached" in told["trouble"]
    answer = httpx.post(f"{url}/v1/models/diabetes/predict", json=ROW, headers=BEARER)
    assert (answer.status_code, answer.json()["model_version"]) == (200, 7)
    model = httpx.get(f"{url}/v1/models/diabetes", headers=BEARER).json()
    assert model["history"] is None
    assert "cannot be reached" in model["history_note"]
