"""Gold rows that are published, from gold's commit to the messages of their topic, on the small stack."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pyarrow as pa
from confluent_kafka.admin import AdminClient

from infra.connectors import warehouse_tables
from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.derived_tables import gold_schema
from millrace.steps.load_warehouse import load_warehouse
from tests.infra import small_stack
from tests.infra.following import Message, arrived
from tests.steps.small_problem import COLUMNS, small

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MAIL = {"mail": {"type": "string", "sensitive": True}}


def problem_of(name: str) -> Problem:
    return small(name, COLUMNS | MAIL)


def row(key: str, seq: int, **more: Any) -> dict[str, Any]:
    told = {"Size": 1.5, "kind": "a", "done": True, "label": 1, **more}
    return {"row_key": key, "event_timestamp": AT, "gold_seq": seq, **told}


def publish(name: str, seq: int, *rows: dict[str, Any], without: str = "") -> dict[str, Any]:
    """Gold as after a transform that takes away what a filter finds and adds rows, and its load."""
    table = names.gold(name)
    lake.ensure_table(table, gold_schema(problem_of(name)))
    loaded, properties = lake.catalog().load_table(table), {"millrace.gold-seq": str(seq)}
    if without:
        loaded.delete(without, snapshot_properties=properties)
    loaded.append(pa.Table.from_pylist(list(rows), loaded.schema().as_arrow()), snapshot_properties=properties)
    return load_warehouse(problem_of(name))


@contextmanager
def superuser() -> Iterator[psycopg.Connection]:
    with warehouse_tables.connect(get_settings()) as connection:
        yield connection


def told(seen: list[Message]) -> list[tuple[str, str, int | None]]:
    """Operation, key and gold_seq of each message."""
    found = []
    for one in seen:
        after = (one.value or {}).get("after") or {}
        found.append((one.operation, (one.key or {})["row_key"], after.get("gold_seq")))
    return found


def published(name: str, until: str, *, operation: str = "c") -> list[tuple[str, str, int | None]]:
    """All that was told of a problem's rows, once a key came: what comes is in the order of the commits."""
    came = lambda seen: any(one.key == {"row_key": until} and one.operation == operation for one in seen)  # noqa: E731
    topic = names.published_topic(name)
    small_stack.wait_for(lambda: there(topic), f"{topic} is there", seconds=90)
    return told(arrived(0, came, f"{until} arrived", topic=topic))


def there(topic: str) -> bool:
    return topic in AdminClient({"bootstrap.servers": get_settings().kafka_servers}).list_topics(timeout=10).topics


def healthy() -> bool:
    return small_stack.services("connectors")[0].waiting_for(small_stack.settings()) is None
