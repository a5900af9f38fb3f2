"""Services come up in order, heal, refuse what is not theirs, and leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import psutil
import psycopg
import pytest

from infra.keep import MARK, marked_processes
from infra.stack import supervisor
from infra.stack.launching import mark
from infra.stack.ports import listeners
from infra.stack.status import look
from millrace.contract.errors import MillraceError
from tests.infra import small_stack

pytestmark = pytest.mark.stack
BOTH = ("postgres", "minio")


def pid(service: str) -> int:
    found = {state.service.name: state.pid for state in look(small_stack.settings())}[service]
    assert found
    return found


def healthy(*names: str) -> bool:
    states = {state.service.name: state for state in look(small_stack.settings())}
    return all(states[name].healthy for name in names)


def rows_in_the_warehouse() -> list[tuple[int]]:
    with psycopg.connect(small_stack.settings().postgres_dsn("warehouse")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (id int PRIMARY KEY)")
        connection.execute("INSERT INTO kept VALUES (1) ON CONFLICT DO NOTHING")
        return connection.execute("SELECT id FROM kept").fetchall()


def buckets() -> set[str]:
    settings = small_stack.settings()
    keys = {
        "aws_access_key_id": settings.s3_access_key,
        "aws_secret_access_key": settings.s3_secret_key.get_secret_value(),
    }
    s3 = boto3.client("s3", endpoint_url=settings.s3_url, region_name=settings.s3_region, **keys)
    return {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}


@pytest.mark.usefixtures("stack")
def test_what_a_service_completes_is_there() -> None:
    assert rows_in_the_warehouse() == [(1,)]
    assert buckets() >= {"landing", "lake", "models", "reports"}


@pytest.mark.usefixtures("stack")
def test_up_a_second_time_restarts_nothing() -> None:
    before = [pid(name) for name in BOTH]
    assert small_stack.up(*BOTH) == ["minio ready (was up)", "postgres ready (was up)"]
    assert [pid(name) for name in BOTH] == before


@pytest.mark.usefixtures("stack")
def test_everything_listens_on_loopback_only() -> None:
    ours = {process for name in BOTH for process in [pid(name), *family(pid(name))]}
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.pid in ours:
            assert connection.laddr.ip in ("127.0.0.1", "::1", "::ffff:127.0.0.1"), connection


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("service", BOTH)
def test_a_killed_service_heals(service: str) -> None:
    rows_in_the_warehouse()
    before = pid(service)
    os.kill(before, signal.SIGKILL)
    small_stack.wait_for(lambda: healthy(*BOTH) and pid(service) != before, f"{service} is healthy again")
    assert rows_in_the_warehouse() == [(1,)]


@pytest.mark.usefixtures("stack")
def test_up_heals_what_a_killed_supervisord_left() -> None:
    daemon = supervisor.daemon(small_stack.settings())
    assert daemon is not None
    orphans = [pid(name) for name in BOTH]
    os.kill(daemon.pid, signal.SIGKILL)
    small_stack.wait_for(lambda: supervisor.daemon(small_stack.settings()) is None, "supervisord is gone")
    small_stack.up(*BOTH)
    assert healthy(*BOTH)
    assert not set(orphans) & {pid(name) for name in BOTH}
    assert rows_in_the_warehouse() == [(1,)]


def test_down_leaves_no_process_and_keeps_the_data() -> None:
    with small_stack.fresh():
        small_stack.up(*BOTH)
        rows_in_the_warehouse()
        small_stack.down()
        settings = small_stack.settings()
        assert marked_processes(mark(settings)) == []
        assert not {settings.port("postgres"), settings.port("minio")} & set(listeners())
        assert small_stack.down() == 0
        small_stack.up("postgres")
        assert rows_in_the_warehouse() == [(1,)]


@pytest.fixture
def foreign_listener() -> Iterator[int]:
    """A program of somebody else that answers "ready" on MinIO's port."""
    port = small_stack.settings().port("minio")
    command = [sys.executable, "-m", "http.server", "--bind=127.0.0.1", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        small_stack.wait_for(lambda: port in listeners(), "the foreign program listens")
        yield process.pid
        process.kill()


def test_a_service_that_is_not_ours_is_never_used(foreign_listener: int) -> None:
    with small_stack.fresh():
        with pytest.raises(MillraceError) as caught:
            small_stack.up("minio")
        assert caught.value.problem == "the port of MinIO is taken"
        assert str(small_stack.settings().port("minio")) in caught.value.place
        assert f"process {foreign_listener}" in caught.value.found
        assert "MILLRACE_PORT_OFFSET" in caught.value.fix
        assert psutil.pid_exists(foreign_listener)


def test_a_service_that_fails_is_named_with_its_last_words() -> None:
    with small_stack.fresh() as home:
        small_stack.up("postgres")
        small_stack.down()
        (home / "postgres" / "PG_VERSION").write_text("9\n")
        with pytest.raises(MillraceError) as caught:
            small_stack.up("postgres")
        assert caught.value.problem == "PostgreSQL 17 did not come up"
        assert "incompatible" in caught.value.found
        assert caught.value.place.endswith("logs/postgres.log")


def test_leftovers_of_one_stack_are_never_those_of_another() -> None:
    """A mark is compared to its end: `/a/.millrace|` is not the beginning of `/a/.millrace/test|`."""
    with subprocess.Popen(["sleep", "60"], env={MARK: "/a/.millrace/test|minio|", "PATH": os.defpath}) as process:
        try:
            assert process.pid not in marked_processes("/a/.millrace|")
            assert process.pid in marked_processes("/a/.millrace/test|")
            assert process.pid in marked_processes("/a/.millrace/test|minio|")
            assert process.pid not in marked_processes("/a/.millrace/test|min|")
        finally:
            process.kill()


def test_a_socket_in_use_by_a_thread_of_this_process_is_described(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert listeners()[server.getsockname()[1]] == os.getpid()


def family(of: int) -> list[int]:
    return [child.pid for child in psutil.Process(of).children(recursive=True)]
