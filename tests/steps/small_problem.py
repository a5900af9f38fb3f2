"""A problem of four columns under names of its own, and the removal of all it left in the lake and the warehouse."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from millrace.adapters import lake, object_store, warehouse
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings

COLUMNS: dict[str, Any] = {
    "id": {"type": "string"},
    "seen_at": {"type": "timestamp"},
    "Size": {"type": "number"},
    "kind": {"type": "string", "nullable": True},
    "done": {"type": "boolean"},
    "sold": {"type": "integer", "allowed": [0, 1], "nullable": True},
}


@contextmanager
def small_problem(**more: Any) -> Iterator[Problem]:
    """The problem; `more` are further keys of its source."""
    mark = uuid.uuid4().hex[:10]
    problem = small(f"t_{mark}", **{"columns": COLUMNS, **more})
    try:
        yield problem
    finally:
        source = problem.source_name
        of_source = (names.bronze_files(source), names.silver(source), names.quarantine(source))
        for table in (*of_source, names.gold(problem.problem)):
            lake.drop_table(table)
        object_store.delete_prefix(get_settings().landing_bucket, problem.landing_prefix)
        with warehouse.connect() as connection:
            warehouse.forget(connection, problem.problem)


def small(name: str, columns: dict[str, Any], **more: Any) -> Problem:
    source = {
        "primary_key": ["id"],
        "assigned_key": "row_content",
        "event_timestamp": "seen_at",
        "assigned_time": "file_modified",
        "columns": columns,
        **more,
    }
    content = {"problem": name, "title": "Small", "owner": "tests", "sources": {f"{name}_rows": source}}
    return Problem.model_validate(content | {"label": {"column": "sold", "positive": 1}})
