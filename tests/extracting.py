"""A problem whose table is extracted, the application that writes to it, and the files that landed."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from infra.connectors import source_tables
from infra.services import postgres_server
from infra.services.source_database import DATABASE, SERVER
from millrace.adapters import object_store, source_database
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.extract_table import extract_table
from tests.steps.transforming import COLUMNS, problem_named, removed_afterwards

CHANGED: dict[str, Any] = {"changed_at": {"type": "timestamp"}}
"""What the table of `sales` has besides the columns of `tests.steps.transforming`."""


def sales(mark: str = "", columns: dict[str, Any] | None = None, **extract: Any) -> Problem:
    """Sales that come by extracts, under names of its own; no problem file, so that no keeper looks after it."""
    told = problem_named(mark or uuid.uuid4().hex[:8], columns or COLUMNS | CHANGED).model_dump(exclude_defaults=True)
    [source] = told["sources"].values()
    source |= {"format": "parquet", "extract": extract}
    return Problem.model_validate(told)


@contextmanager
def own_table(problem: Problem, made: LiteralString | None = None) -> Iterator[Problem]:
    """The problem's table, as the keeper makes it or as a statement says; all that came of it is gone afterwards.

    Args:
        made: CREATE statements with the placeholder {table}.
    """
    with removed_afterwards(problem), superuser() as connection:
        try:
            if made is not None:
                connection.execute(sql.SQL(made).format(table=named(problem)))
                connection.execute(sql.SQL("ALTER TABLE {} OWNER TO application").format(named(problem)))
            source_tables.make_extracted(connection, problem)
            yield problem
        finally:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(named(problem)))


@contextmanager
def superuser() -> Iterator[psycopg.Connection]:
    with postgres_server.connect(SERVER, get_settings(), DATABASE) as connection:
        yield connection


def named(problem: Problem) -> sql.Identifier:
    return sql.Identifier(*str(problem.extract_table).split("."))


def write(problem: Problem, statement: LiteralString, values: Sequence[Any] = ()) -> None:
    """One transaction of the application; {table} is the problem's."""
    with source_database.connection("application") as connection:
        connection.execute(sql.SQL(statement).format(table=named(problem)), values)


def insert(problem: Problem, *keys: str, changed: str = "now()", size: float = 1) -> None:
    """Rows of `sales`, each changed at a time that SQL says."""
    for key in keys:
        write(
            problem,
            "INSERT INTO {table} (id, seen_at, size, phone, sold, changed_at)"
            " VALUES (%s, '2026-01-01Z', %s, '1', 1, " + changed + ")",
            [key, size],
        )


def run(problem: Problem, *, run_id: str = "", full: bool = False) -> dict[str, Any]:
    """An extract, of a run of its own unless one is named."""
    return extract_table(problem, run_id=run_id or uuid.uuid4().hex, full=full)


def uploads(problem: Problem) -> list[Any]:
    """Objects that are half there."""
    bucket, prefix = get_settings().landing_bucket, problem.landing_prefix
    return list(object_store.client().list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", []))


def files(problem: Problem) -> list[str]:
    """The names of the files that landed, the first first."""
    found = object_store.list_objects(get_settings().landing_bucket, problem.landing_prefix)
    return [one.key.removeprefix(problem.landing_prefix) for one in found]


def content(problem: Problem, name: str) -> pa.Table:
    return pq.read_table(BytesIO(object_store.get(get_settings().landing_bucket, problem.landing_prefix + name)))


def keys_of(problem: Problem, name: str, column: str = "id") -> list[Any]:
    """The keys in a file, sorted."""
    return sorted(content(problem, name)[column].to_pylist())


def keys(problem: Problem) -> list[list[str]]:
    """The keys in each file, sorted."""
    return [keys_of(problem, name) for name in files(problem)]
