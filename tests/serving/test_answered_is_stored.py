"""Whatever was answered is in the table, once: real replica, real spool, real Postgres; killed, cut off, filled up.

`tests/faults/test_answered_is_stored.py` does the same for longer.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from millrace.settings import ROOT
from serving.spool_lines import line
from tests.postgres_alone import Alone, postgres_alone
from tests.serving.a_key import BEARER
from tests.serving.test_routes import PERSON
from tests.serving.under_load import PREDICT, Load, Replica, load, replica, stored


@pytest.fixture(scope="module")
def server() -> Iterator[Alone]:
    with postgres_alone() as server:
        yield server


@pytest.fixture
def one(server: Alone, tmp_path: Path) -> Iterator[Replica]:
    server.rows("DROP SCHEMA IF EXISTS predictions CASCADE")
    with replica(server, tmp_path) as one:
        one.start()
        yield one


def each_answer_once(server: Alone, one: Replica, clients: Load) -> None:
    found = stored(server, one)
    assert len(found) == len(set(found))
    assert set(clients.answered) <= set(found)
    # A row was stored and its answer cut off, at most once a client for each kill.
    assert set(clients.statuses) <= {200, 0, 503}


def test_a_replica_killed_under_load(server: Alone, one: Replica) -> None:
    with load(one.url) as clients:
        for _ in range(2):
            clients.answers(150)
            one.kill()
            one.start()
        clients.answers(150)
    each_answer_once(server, one, clients)
    refused = server.rows("SELECT sum(rows_refused), count(*) FROM predictions._refused_rows")
    assert refused[0][0] == refused[0][1] > 0


def test_a_database_that_is_away_under_load(server: Alone, one: Replica) -> None:
    with load(one.url) as clients:
        clients.answers(100)
        server.stop()
        try:
            clients.until(lambda: (one.told() or {})["trouble"], "the trouble is told")
            clients.answers(300)
            told = one.told() or {}
            assert told["waiting_rows"] >= 300
            assert told["oldest_seconds"] > 0
            assert httpx.get(f"{one.url}/readyz").status_code == 200
            figures = httpx.get(f"{one.url}/metrics").text
            assert "millrace_store_trouble 1.0" in figures
            assert "connection" in told["trouble"]
            waiting = clients.answered[-1]
            # Of this replica's own spool, while no table can be asked.
            found = httpx.get(f"{one.url}/v1/models/diabetes/predictions/{waiting}", headers=BEARER).json()
            assert found["prediction_id"] == waiting
            assert found["receipt"]["trouble"]
            listed = httpx.get(f"{one.url}/v1/models/diabetes/predictions", headers=BEARER)
            assert (listed.status_code, listed.headers["retry-after"]) == (503, "5")
        finally:
            server.start()
        clients.answers(50)
    each_answer_once(server, one, clients)
    assert set(clients.statuses) == {200}


def test_a_replica_killed_while_the_database_is_away(server: Alone, one: Replica) -> None:
    server.stop()
    try:
        with load(one.url) as clients:
            clients.answers(100)
            one.kill()
            one.start()
            clients.answers(100)
    finally:
        server.start()
    each_answer_once(server, one, clients)


def test_a_full_spool_refuses_and_recovers(server: Alone, tmp_path: Path) -> None:
    server.rows("DROP SCHEMA IF EXISTS predictions CASCADE")
    with replica(server, tmp_path, MILLRACE_SPOOL_LIMIT_BYTES="60000") as one:
        one.start()
        server.stop()
        try:
            with load(one.url) as clients:
                clients.until(lambda: clients.statuses[503] > 10, "the spool is full")
        finally:
            server.start()
        refused = clients.refusals[0]
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["retry-after"] == "5"
        assert "spool" in refused.json()["title"]
        with load(one.url) as later:
            later.answers(100)
        clients.answered += later.answered
        each_answer_once(server, one, clients)
        assert len(clients.answered) > 100


def test_a_replica_that_is_asked_to_end_leaves_nothing_behind(server: Alone, one: Replica, tmp_path: Path) -> None:
    with load(one.url) as clients:
        clients.answers(100)
    one.terminate()
    found = [str(found) for (found,) in server.rows("SELECT id FROM predictions.diabetes")]
    assert sorted(found) == sorted(clients.answered)


def test_lines_that_cannot_be_stored_hold_up_nobody(server: Alone, one: Replica, tmp_path: Path) -> None:
    """A damaged line, one that no version wrote, and one that Postgres refuses for itself."""
    client = httpx.Client(base_url=one.url, headers=BEARER)
    first = client.post(PREDICT, json=PERSON).json()["prediction_id"]
    stored(server, one)
    one.kill()
    server.stop()
    one.start()
    second = client.post(PREDICT, json=PERSON).json()["prediction_id"]
    one.kill()
    newest = max((tmp_path / "spool" / "serving_1").glob("*.spool"))
    good = newest.read_bytes()
    poison = good.partition(b"{")[2].replace(b'"version":7', b'"version":9999999999').rstrip(b"\n")
    refused = line(b"{" + poison.replace(second.encode(), first.encode()), at_ms=1, rows=1)
    newest.write_bytes(b"no line of ours\n" + line(b"{}", at_ms=1, rows=1) + refused + good)
    server.start()
    one.start()
    assert sorted(stored(server, one)) == sorted([first, second])
    told = one.told() or {}
    assert told["set_aside_rows"] == 2
    aside = (tmp_path / "spool" / "serving_1" / "set-aside.jsonl").read_bytes().splitlines()
    assert len(aside) == 3
    assert "Glucose" not in one.log.read_text()


def test_a_second_process_of_the_same_name_ends_and_says_why(one: Replica) -> None:
    command = [sys.executable, "-m", "uvicorn", "--factory", "tests.serving.replica_alone:app", "--port=0"]
    twin = subprocess.run(
        command, cwd=ROOT, env=os.environ | one.environment, check=False, capture_output=True, text=True, timeout=60
    )
    assert twin.returncode != 0
    assert "The spool belongs to another process" in twin.stderr
