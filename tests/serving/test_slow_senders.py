"""Who sends slowly is given up, and keeps nobody else waiting."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.serving.a_key import BEARER
from tests.serving.one_replica import Replica, replica

HEADER_SECONDS, BODY_SECONDS = 1.5, 1.0
START = b"POST /v1/models/diabetes/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
KEY = f"Authorization: {BEARER['authorization']}\r\n".encode()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    log = tmp_path_factory.mktemp("replica") / "log"
    with replica(log, header_deadline_seconds=HEADER_SECONDS, body_deadline_seconds=BODY_SECONDS) as running:
        yield running


def until_closed(connection: socket.socket) -> bytes:
    """Everything that comes until the other side closes."""
    found = b""
    try:
        while part := connection.recv(65_536):
            found += part
    except ConnectionResetError:
        pass
    return found


def dripped(connection: socket.socket, every_seconds: float, most_seconds: float) -> float:
    """Send a byte now and then; after how many seconds the other side would have no more."""
    began = time.monotonic()
    connection.settimeout(every_seconds)
    while time.monotonic() < began + most_seconds:
        try:
            connection.sendall(b"x")
            if connection.recv(65_536) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began


def test_headers_that_come_byte_by_byte_are_given_up(one: Replica) -> None:
    with one.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        assert dripped(connection, 0.2, 20) < HEADER_SECONDS + 5


def test_headers_that_stop_are_answered_408(one: Replica) -> None:
    with one.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


def test_a_connection_that_says_nothing_is_closed(one: Replica) -> None:
    with one.connect() as connection:
        assert until_closed(connection) == b""


def test_a_second_request_that_stops_is_given_up_too(one: Replica) -> None:
    with one.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        assert b" 408 " in until_closed(connection)


def test_a_body_that_stops_is_answered_408_in_our_shape(one: Replica) -> None:
    with one.connect() as connection:
        connection.sendall(START + KEY + b'Content-Length: 1000\r\n\r\n{"Age": ')
        answer = until_closed(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head.lower()
    assert json.loads(body)["status"] == 408


def test_a_body_that_comes_byte_by_byte_is_given_up(one: Replica) -> None:
    with one.connect() as connection:
        connection.sendall(START + KEY + b"Content-Length: 1000000\r\n\r\n")
        assert dripped(connection, 0.1, 20) < BODY_SECONDS + 5


def test_a_body_that_nobody_reads_is_thrown_away_and_not_for_ever(one: Replica) -> None:
    """Without a key it is refused before it came; what still comes holds the connection no longer than headers may."""
    with one.connect() as connection:
        connection.sendall(START + b"Content-Length: 1000000\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")
        assert dripped(connection, 0.1, 20) < HEADER_SECONDS + 5


def test_headers_without_end_are_refused(one: Replica) -> None:
    with one.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        try:
            for number in range(20_000):
                connection.sendall(b"X-%d: %s\r\n" % (number, b"y" * 100))
        except OSError:
            return
        assert b" 431 " in until_closed(connection)


def test_200_slow_connections_keep_nobody_waiting(one: Replica) -> None:
    slow = [one.connect() for _ in range(200)]
    try:
        for connection in slow:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        waits = []
        for _ in range(20):
            for connection in slow:
                with suppress(OSError):  # It may be given up already.
                    connection.send(b"x")
            began = time.monotonic()
            assert one.get("/v1/models").status_code == 200
            waits.append(time.monotonic() - began)
        assert sorted(waits)[len(waits) // 2] < 1
        for connection in slow:
            until_closed(connection)
    finally:
        for connection in slow:
            connection.close()


def test_more_connections_than_allowed_are_answered_503_until_some_end(tmp_path: Path) -> None:
    with replica(tmp_path / "log", connections_at_most=20, header_deadline_seconds=2) as few:
        idle = [few.connect() for _ in range(30)]
        began = time.monotonic()
        assert few.get("/healthz").status_code == 503
        while few.get("/healthz").status_code == 503:
            assert time.monotonic() < began + 20
        for connection in idle:
            connection.close()


def test_every_line_of_the_log_is_json(one: Replica) -> None:
    lines = [json.loads(line) for line in one.log.read_text().splitlines()]
    assert any(line.get("status") == 408 and line.get("client") == "tester" for line in lines)
    assert any(line.get("logger") == "uvicorn.error" for line in lines)
