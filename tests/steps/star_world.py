"""Events of a shop under names of their own: their silver, the star that should follow from it, and the one there is.

`expected` works a row at a time in plain Python, on all rows at once: what every order and batching must end in.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from millrace.adapters import lake, star, warehouse
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps.derived_tables import ensure_gold, silver_schema

COLUMNS: dict[str, Any] = {
    "happened_at": {"type": "timestamp"},
    "kind": {"type": "string"},
    "user": {"type": "integer", "nullable": True},
    "shop": {"type": "string", "nullable": True},
    "product": {"type": "string", "nullable": True},
    "brand": {"type": "string", "nullable": True},
    "price": {"type": "number", "nullable": True},
    "shelf": {"type": "string", "nullable": True},
    "buys": {"type": "integer", "allowed": [0, 1], "nullable": True},
}
HISTORY = ("brand", "price")
START = datetime(2024, 12, 30, 22, 0, 0, 123, tzinfo=UTC)
Row = dict[str, Any]


def shop(mark: str, **changes: Any) -> Problem:
    """The problem; `changes` replace dimensions."""
    name = f"t_{mark}"
    dimensions: dict[str, Any] = {
        f"user_{mark}": {"key": ["user"]},
        f"product_{mark}": {
            "key": ["shop", "product"],
            "columns": {"brand": "history", "price": "history", "shelf": "correct"},
        },
    }
    source = {"mode": "append", "assigned_key": "row_content", "event_timestamp": "happened_at", "columns": COLUMNS}
    section = {
        "fact": {"name": f"events_{mark}", "measures": ["price"], "attributes": ["kind"]},
        "dimensions": dimensions | {f"{dimension}_{mark}": told for dimension, told in changes.items()},
    }
    content = {"problem": name, "title": "Shop", "owner": "tests", "sources": {f"{name}_events": source}}
    return Problem.model_validate(content | {"label": {"column": "buys", "positive": 1}, "warehouse": section})


@contextmanager
def own_shop() -> Iterator[Problem]:
    """A shop whose tables are gone afterwards."""
    problem = shop(uuid.uuid4().hex[:8])
    try:
        yield problem
    finally:
        for table in (names.silver(problem.source_name), names.gold(problem.problem)):
            lake.drop_table(table)
        with warehouse.connect() as connection:
            star.forget(connection, problem.problem)


def event(key: str, minutes: float = 0, **told: Any) -> Row:
    """A row of silver: by default user 7 sees product p of shop s."""
    row = {"user": 7, "shop": "s", "product": "p", "brand": None, "price": None, "shelf": None, "kind": "view"}
    at = START + timedelta(minutes=minutes)
    return {"row_key": key, "event_timestamp": at, "happened_at": at, "deleted": False, **row, **told}


def publish(problem: Problem, seq: int, *rows: Row, without: str = "") -> None:
    """Publish silver with these rows added, and those that a filter finds taken away."""
    table = names.silver(problem.source_name)
    lake.ensure_table(table, silver_schema(problem.source))
    loaded = lake.catalog().load_table(table)
    properties = {"millrace.changed-seq": str(seq), "millrace.bronze-snapshot": "1"}
    if without:
        loaded.delete(without, snapshot_properties=properties)
    told = [{**row, "changed_seq": seq} for row in rows]
    loaded.append(pa.Table.from_pylist(told, loaded.schema().as_arrow()), snapshot_properties=properties)


def gold_follows(problem: Problem, seq: int) -> None:
    """Say that gold has taken in this change of silver."""
    properties = {"millrace.changed-seq": str(seq), "millrace.silver-snapshot": "1"}
    loaded = lake.catalog().load_table(ensure_gold(problem))
    loaded.append(loaded.schema().as_arrow().empty_table(), snapshot_properties=properties)


def expected(rows: list[Row]) -> dict[str, list[Any]]:
    """Users, versions of products, and facts that point at them, sorted, in the form of `found`."""
    living = sorted((row for row in rows if not row["deleted"]), key=lambda r: (r["event_timestamp"], r["row_key"]))
    of_product: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in living:
        if row["shop"] is not None and row["product"] is not None:
            of_product[row["shop"], row["product"]].append(row)
    versions = {key: _versions(told) for key, told in of_product.items()}
    facts = []
    for row in living:
        product = versions.get((row["shop"], row["product"]), [])
        in_force = [v["valid_from"] for v in product if v["valid_from"] <= row["event_timestamp"]]
        pointed = (row["shop"], row["product"], in_force[-1]) if in_force else (None, None, None)
        facts.append((row["row_key"], row["event_timestamp"], row["price"], row["kind"], row["user"], *pointed))
    products = [
        (*key, *(v[n] for n in (*HISTORY, "shelf", "valid_from", "valid_to")), v["valid_to"] is None)
        for key, told in versions.items()
        for v in told
    ]
    users = {(row["user"],) for row in living if row["user"] is not None}
    return {"users": sorted(users), "products": sorted(products, key=repr), "facts": sorted(facts, key=repr)}


def _versions(told: list[Row]) -> list[Row]:
    state: Row = dict.fromkeys((*HISTORY, "shelf"))
    at_instant: dict[datetime, Row] = {}
    for row in told:
        state = state | {name: row[name] for name in state if row[name] is not None}
        at_instant[row["event_timestamp"]] = state
    versions: list[Row] = []
    for at, known in at_instant.items():
        if not versions or any(versions[-1][name] != known[name] for name in HISTORY):
            if versions:
                versions[-1]["valid_to"] = at
            versions.append({**known, "valid_from": at, "valid_to": None})
    return [version | {"shelf": state["shelf"]} for version in versions]


def found(problem: Problem) -> dict[str, list[Any]]:
    """What the warehouse holds, with natural keys instead of surrogate ones."""
    mark = problem.problem.removeprefix("t_")
    user, product = f'warehouse."dim_user_{mark}"', f'warehouse."dim_product_{mark}"'
    with warehouse.connect() as connection:
        users = connection.execute(f'SELECT "user" FROM {user} WHERE user_{mark}_key <> 0').fetchall()
        products = connection.execute(
            "SELECT shop, product, brand, price, shelf, valid_from, valid_to, is_current"
            f" FROM {product} WHERE product_{mark}_key <> 0"
        ).fetchall()
        facts = connection.execute(
            f'SELECT f.row_key, f.event_timestamp, f.price, f.kind, u."user", p.shop, p.product, p.valid_from'
            f" FROM warehouse.fact_events_{mark} f JOIN {user} u USING (user_{mark}_key)"
            f" JOIN {product} p USING (product_{mark}_key) JOIN warehouse.dim_date d ON d.date_key = f.date_key"
            " AND d.date = (f.event_timestamp AT TIME ZONE 'UTC')::date"
        ).fetchall()
    return {"users": sorted(users), "products": sorted(products, key=repr), "facts": sorted(facts, key=repr)}


def row_versions(problem: Problem) -> dict[str, list[Any]]:
    """Where Postgres keeps each row, and which transaction wrote it: they differ as soon as a row is written again."""
    told = {}
    with warehouse.connect() as connection:
        for table in before.tables if (before := star.loaded(problem.problem)) else ():
            told[table] = sorted(connection.execute(f"SELECT ctid::text, xmin::text FROM warehouse.{table}").fetchall())
    return told
