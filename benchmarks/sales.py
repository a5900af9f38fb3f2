"""Sales of a shop that never was: a row follows from its number alone, so any number of rows is there in a minute.

Of a hundred rows one breaks its contract.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from benchmarks.seeding import raw_rows
from millrace.contract.problem import Problem
from tests.steps.transforming import removed_afterwards

KINDS = ("book", "garden", "kitchen", "music", "toys")
COLUMNS: dict[str, Any] = {
    "id": {"type": "string", "pattern": "S[0-9]{9}"},
    "sold_at": {"type": "timestamp"},
    "amount": {"type": "number", "min": 0, "max": 10_000},
    "units": {"type": "integer", "min": 1, "max": 100},
    "kind": {"type": "string", "allowed": list(KINDS)},
    "town": {"type": "string", "nullable": True},
    "note": {"type": "string", "nullable": True, "update": "correct"},
    "returned": {"type": "integer", "allowed": [0, 1], "nullable": True},
}


@contextmanager
def own_sales() -> Iterator[Problem]:
    """A problem under names of its own; its tables are gone afterwards."""
    name = f"sales_{uuid.uuid4().hex[:8]}"
    source = {"primary_key": ["id"], "event_timestamp": "sold_at", "columns": COLUMNS}
    content = {"problem": name, "title": "Sales", "owner": "bench", "sources": {f"{name}_rows": source}}
    with removed_afterwards(Problem.model_validate(content | {"label": {"column": "returned", "positive": 1}})) as made:
        yield made


def sales(spark: SparkSession, rows: int, *, key: str, batch: int) -> DataFrame:
    """Rows as bronze holds them.

    Args:
        key: SQL of the number of a row's key, from its own number, `id`.
        batch: The number of the landing: later ones tell another note and label of the same key.
    """
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    fields = {
        "id": "concat('S', lpad(CAST(k AS STRING), 9, '0'))",
        "sold_at": "CAST(timestamp_seconds(1700000000 + (k * 37) % 31536000) AS STRING)",
        "amount": "IF(id % 100 = 13, IF(id % 200 = 13, 'much', '10001'), CAST(((k * 7919) % 999983) / 100 AS STRING))",
        "units": "CAST(1 + k % 9 AS STRING)",
        "kind": f"element_at(array({kinds}), CAST(1 + k % {len(KINDS)} AS INT))",
        "town": "IF(k % 11 = 0, '', concat('town ', CAST(k % 997 AS STRING)))",
        "note": f"concat('note {batch} of ', CAST(k % 10007 AS STRING))",
        "returned": f"IF((k + {batch}) % 17 = 0, '', CAST((k + {batch}) % 2 AS STRING))",
    }
    return raw_rows(spark.range(rows).selectExpr("id", f"CAST({key} AS BIGINT) AS k"), fields, batch=batch)
