"""A replica that is told to end loses nothing that was sent to it, and ends."""

import json
import signal
import socket
import time
from pathlib import Path

import httpx

from tests.serving.a_key import BEARER
from tests.serving.one_replica import Replica, replica

PERSON = {"Pregnancies": 2, "Glucose": 120, "BloodPressure": 70, "SkinThickness": 20, "Insulin": 80, "BMI": 30.5}
PERSON |= {"DiabetesPedigreeFunction": 0.4, "Age": 40}
BODY = json.dumps(PERSON).encode()
HEAD = (
    b"POST /v1/models/diabetes/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    + f"Authorization: {BEARER['authorization']}\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
)


def half_sent(one: Replica) -> socket.socket:
    """A request whose second half is still to come."""
    connection = one.connect()
    connection.sendall(HEAD + BODY[:20])
    return connection


def answer_to_the_rest(connection: socket.socket) -> bytes:
    connection.sendall(BODY[20:])
    found = b""
    while part := connection.recv(65_536):
        found += part
    connection.close()
    return found


def leaves(one: Replica) -> None:
    """Tell the replica to end, and wait until it says that it does."""
    one.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 10
    while (told := one.get("/readyz")).status_code == 200:
        assert time.monotonic() < deadline
    assert told.json()["draining"] is True


def test_what_is_under_way_and_what_still_comes_is_answered(tmp_path: Path) -> None:
    with replica(tmp_path / "log", drain_seconds=2) as one:
        under_way = [half_sent(one) for _ in range(20)]
        leaves(one)
        # New requests come until the proxy has noticed.
        late = httpx.post(f"{one.url}/v1/models/diabetes/predict", json=PERSON, headers=BEARER)
        assert late.status_code == 200
        assert late.headers["connection"] == "close"
        # The port closes; those that are half here are waited for.
        deadline = time.monotonic() + 20
        while True:
            try:
                one.connect().close()
            except ConnectionRefusedError:
                break
            assert time.monotonic() < deadline
        assert one.process.poll() is None
        answers = [answer_to_the_rest(connection) for connection in under_way]
        assert all(answer.startswith(b"HTTP/1.1 200 ") and b"prediction_id" in answer for answer in answers)
        one.process.wait(10)


def test_who_never_ends_is_waited_for_only_so_long(tmp_path: Path) -> None:
    with replica(tmp_path / "log", drain_seconds=0, drain_at_most_seconds=1, body_deadline_seconds=60) as one:
        stuck = half_sent(one)
        began = time.monotonic()
        one.process.send_signal(signal.SIGTERM)
        one.process.wait(15)
        assert time.monotonic() - began < 10
        stuck.close()


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with replica(tmp_path / "log", drain_seconds=600) as one:
        leaves(one)
        one.process.send_signal(signal.SIGTERM)
        one.process.wait(10)
