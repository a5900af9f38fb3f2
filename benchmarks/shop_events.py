"""Events of a shop that never was, for the contract of `purchase`: sessions of five events over sixty days.

A row follows from its number alone. Products are visited unevenly, as in life: the first of ten thousand has one event
in twenty-two.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame, SparkSession

from benchmarks.seeding import raw_rows
from millrace.contract.problem import Problem
from millrace.drills.likeness import like
from tests.steps.transforming import removed_afterwards

PRODUCTS = 10_000
USERS = 400_000


@contextmanager
def own_shop() -> Iterator[Problem]:
    """A problem like `purchase` under names of its own; its tables are gone afterwards."""
    name = f"purchase_{uuid.uuid4().hex[:8]}"
    content = like("purchase", problem=name, title=f"Purchase {name}", source=f"{name}_rows")
    with removed_afterwards(Problem.model_validate(content)) as made:
        yield made


def events(spark: SparkSession, rows: int) -> DataFrame:
    """Rows as bronze holds them."""
    numbered = spark.range(rows).selectExpr(
        "id",
        "id DIV 5 AS session",
        # A session looks at two products; the cube of an even draw is small most of the time.
        f"CAST({PRODUCTS} * pow(pmod(hash(id DIV 5, (id % 5) DIV 3), 1000003) / 1000003, 3) AS BIGINT) AS p",
        "pmod(hash(id), 100) AS chance",
    )
    kind = "CASE WHEN chance < 74 THEN 'view' WHEN chance < 92 THEN 'cart' WHEN chance < 97 THEN 'purchase' ELSE"
    fields = {
        "event_time": "CAST(timestamp_seconds(1760000000 + pmod(hash(session, 1), 5184000) + (id % 5) * 47) AS STRING)",
        "event_type": f"{kind} 'remove_from_cart' END",
        "product_id": "CAST(1 + p AS STRING)",
        "category_id": "CAST(1 + p % 211 AS STRING)",
        "category_code": "IF(p % 3 = 0, '', concat('branch', CAST(p % 11 AS STRING), '.kind', CAST(p % 53 AS STRING)))",
        "brand": "IF(p % 5 = 0, '', concat('brand ', CAST(p % 307 AS STRING)))",
        "price": "CAST(1 + (p * 7919) % 99991 / 100 AS STRING)",
        "user_id": f"CAST(1 + pmod(hash(session, 2), {USERS}) AS STRING)",
        "user_session": "concat('s', CAST(session AS STRING))",
    }
    return raw_rows(numbered, fields, batch=0, assigned_key="sha2(CAST(id AS STRING), 256)")
