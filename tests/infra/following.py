"""A followed table, from the application's statements to the messages of its topic, on a small stack of its own."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from confluent_kafka import Consumer, TopicPartition

from infra.services import postgres_server, source_database
from infra.stack.status import look
from millrace.adapters import topics
from millrace.contract.source_epoch import HEADER, SourceEpoch
from millrace.settings import get_settings
from tests.infra import small_stack
from tests.infra.orders import ORDERS

SERVICES = ("source_database", "postgres", "kafka", "kafka_connect", "connectors")
TOPIC = "orders.public.orders"
PROBLEMS = small_stack.HOME / "problems"


@contextmanager
def running(*services: str) -> Iterator[None]:
    """The services, in an environment of their own: the keeper reads its settings like every other process."""
    ours = {
        "MILLRACE_HOME": str(small_stack.HOME),
        "MILLRACE_ENV_FILE": str(small_stack.HOME / ".env"),
        "MILLRACE_PORT_OFFSET": str(small_stack.PORT_OFFSET),
        "MILLRACE_PROBLEMS_DIR": str(PROBLEMS),
        "MILLRACE_CONNECTORS_LOOK_SECONDS": "0.7",
    }
    before = {name: os.environ.get(name) for name in ours}
    with small_stack.fresh():
        os.environ |= ours
        get_settings.cache_clear()
        try:
            PROBLEMS.mkdir(parents=True)
            follow("orders", ORDERS)
            small_stack.up(*services)
            yield
        finally:
            small_stack.discard()
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
            get_settings.cache_clear()


@dataclass(frozen=True)
class Message:
    offset: int
    key: dict[str, Any] | None
    value: dict[str, Any] | None
    epoch: SourceEpoch

    @property
    def operation(self) -> str:
        return self.value["op"] if self.value else "tombstone"


def messages(topic: str, start: int = 0) -> list[Message]:
    """All messages from an offset on that a careful reader sees: of committed transactions."""
    options = {"group.id": "test", "enable.auto.commit": False, "isolation.level": "read_committed"}
    reader = Consumer(options | {"bootstrap.servers": get_settings().kafka_servers, "enable.partition.eof": True})
    reader.assign([TopicPartition(topic, 0, start)])
    found = []
    try:
        while True:
            message = reader.poll(20)
            assert message is not None, "the broker does not answer"
            if message.error():
                return found
            headers = dict(message.headers() or [])
            key, value = message.key(), message.value()
            found.append(
                Message(
                    message.offset(),
                    json.loads(key) if key else None,
                    json.loads(value) if value else None,
                    SourceEpoch.parse(headers[HEADER].decode()),
                )
            )
    finally:
        reader.close()


def end(topic: str = TOPIC) -> int:
    return topics.state(topic).end[0]


def arrived(start: int, wanted: Callable[[list[Message]], bool], words: str, *, topic: str = TOPIC) -> list[Message]:
    found: list[Message] = []

    def there() -> bool:
        found[:] = messages(topic, start)
        return wanted(found)

    small_stack.wait_for(there, words, seconds=90)
    return found


@contextmanager
def application() -> Iterator[psycopg.Connection]:
    with psycopg.connect(get_settings().source_dsn("application"), autocommit=True) as connection:
        yield connection


@contextmanager
def superuser() -> Iterator[psycopg.Connection]:
    with postgres_server.connect(source_database.SERVER, get_settings(), source_database.DATABASE) as connection:
        yield connection


def insert(connection: psycopg.Connection, *numbers: str) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany("INSERT INTO orders VALUES (%s, now(), 1.5, true, 1)", [[number] for number in numbers])


def inserted(seen: list[Message], prefix: str) -> list[str]:
    """The keys that were inserted, in the order of the topic; of one test, for another's may come late."""
    keys = [one.key["number"] for one in seen if one.key and one.operation == "c"]
    return [key for key in keys if key.startswith(prefix)]


def follow(name: str, text: str) -> None:
    half = PROBLEMS / f"{name}.half"
    half.write_text(text)
    half.replace(PROBLEMS / f"{name}.yaml")


def healthy() -> bool:
    return all(state.healthy for state in look(small_stack.settings()) if state.service.name in SERVICES)


def log(service: str) -> str:
    return (small_stack.HOME / "logs" / f"{service}.log").read_text()


def kill(service: str) -> None:
    [pid] = [state.pid for state in look(small_stack.settings()) if state.service.name == service]
    assert pid
    os.kill(pid, signal.SIGKILL)


def published(publication: str) -> set[str]:
    query = "SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = %s"
    with superuser() as connection:
        return {str(row[0]) for row in connection.execute(query, [publication])}


@contextmanager
def application_when_up() -> Iterator[psycopg.Connection]:
    small_stack.wait_for(
        lambda: source_database.SERVICE.waiting_for(small_stack.settings()) is None, "the database answers"
    )
    with application() as connection:
        yield connection
