"""As `tests/serving/test_answered_is_stored.py`, for longer: what was answered is in the table, once."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Told
from tests.postgres_alone import Alone, postgres_alone
from tests.serving.under_load import load, replica, stored

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_200)]
AWAY_SECONDS = 60
KILLS = 8


@pytest.fixture(scope="module")
def server() -> Iterator[Alone]:
    with postgres_alone() as server:
        yield server


def test_the_database_is_gone_for_a_minute(server: Alone, tmp_path: Path, told: Told) -> None:
    server.rows("DROP SCHEMA IF EXISTS predictions CASCADE")
    with replica(server, tmp_path) as one:
        one.start()
        with load(one.url) as clients:
            clients.answers(200)
            server.stop()
            before = len(clients.answered)
            time.sleep(AWAY_SECONDS)
            meanwhile = len(clients.answered) - before
            began = time.monotonic()
            server.start()
            clients.answers(200)
        found = stored(server, one)
        seconds = time.monotonic() - began
    assert set(clients.statuses) == {200}
    assert meanwhile > 100
    assert len(found) == len(set(found))
    assert set(found) == set(clients.answered)
    told(f"database gone for {AWAY_SECONDS} s under load", f"{meanwhile} answers meanwhile, each stored once", seconds)


def test_a_replica_is_killed_again_and_again(server: Alone, tmp_path: Path, told: Told) -> None:
    server.rows("DROP SCHEMA IF EXISTS predictions CASCADE")
    draw = random.Random(6)
    with replica(server, tmp_path) as one:
        one.start()
        with load(one.url) as clients:
            for at in range(KILLS):
                clients.answers(draw.randrange(20, 400))
                if at % 3 == 2:
                    server.stop()
                one.kill()
                one.start()
                if at % 3 == 2:
                    clients.answers(20)
                    server.start()
            clients.answers(100)
        found = stored(server, one)
    assert set(clients.statuses) <= {0, 200}
    assert len(found) == len(set(found))
    assert set(clients.answered) <= set(found)
    told(f"replica killed {KILLS} times under load", f"{len(clients.answered)} answers, each stored once")
