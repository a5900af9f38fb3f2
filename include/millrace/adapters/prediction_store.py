"""Stored predictions: written in batches, each id once however often it comes; read newest first, or by id."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from pydantic_core import from_json, to_json

from millrace.adapters.postgres_address import noticing
from millrace.adapters.prediction_tables import REFUSED_ROWS, Connection, ensure, table_of
from millrace.adapters.unreachable import unreachable
from millrace.domain.prediction_record import AnsweredRequest
from millrace.domain.uuid7 import day_of, first_at, time_of
from millrace.settings import get_settings

ITS_OWN = frozenset(["22", "23", "54"])
"""Classes of SQLSTATE that a row itself is the reason for: its data, a constraint, a size."""
_NO_TABLE = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.CheckViolation)
"""A table or partition that went since it was made: dropped, or the database was made anew."""
_SENT = {
    "day": "date",
    "id": "uuid",
    "time": "timestamptz",
    "version": "integer",
    "entity": "text",
    "features": "jsonb",
    "probability": "double precision",
    "risk_category": "text",
    "decision": "boolean",
    "factors": "jsonb",
    "decided_by": "text",
    "key_id": "text",
    "latency_seconds": "double precision",
}
_SENT_OF_REFUSED = {
    "day": "date",
    "id": "uuid",
    "time": "timestamptz",
    "problem": "text",
    "version": "integer",
    "key_id": "text",
    "rows_answered": "integer",
    "rows_refused": "integer",
}
_TOLD = [name for name in _SENT if name != "day"]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which stored predictions are asked for. `since` is inclusive, `until` and `before` are not."""

    since: datetime | None = None
    until: datetime | None = None
    before: UUID | None = None
    version: int | None = None
    risk_category: str | None = None
    entity: str | None = None


@contextmanager
def connect(*, patience_seconds: float = 30) -> Iterator[Connection]:
    """A connection to the warehouse, for reading or writing predictions. A host that vanished is noticed.

    Args:
        patience_seconds: Longest time of one statement.

    Raises:
        MillraceError: If the database cannot be reached.
    """
    settings = get_settings()
    try:
        connection = psycopg.connect(
            noticing(settings.postgres_dsn("warehouse")),
            autocommit=True,  # Each transaction below says where it begins and ends.
            connect_timeout=3,
            application_name="millrace predictions",
            options=f"-c statement_timeout={int(patience_seconds * 1000)}",
        )
    except psycopg.OperationalError as error:
        place = f"database warehouse, {settings.postgres_host}:{settings.port('postgres')}"
        raise unreachable("The store of predictions", place, error) from error
    with connection:
        yield connection


class Writer:
    """Stores over one connection. Remembers which partitions it saw, as making sure of them costs more than a batch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._there: set[tuple[str, date]] = set()

    def store(self, requests: Sequence[AnsweredRequest]) -> None:
        """Store some requests in one transaction, as a whole; what is stored already stays as it is.

        Raises:
            psycopg.Error: If the database refuses; `is_its_own` tells whether a row is the reason.
        """
        try:
            self._store(requests)
        except _NO_TABLE:
            self._there.clear()
            self._store(requests)

    def _store(self, requests: Sequence[AnsweredRequest]) -> None:
        made: set[tuple[str, date]] = set()
        with self._connection.transaction():
            for problem, some in groupby(sorted(requests, key=lambda one: one.problem), lambda one: one.problem):
                of_problem = list(some)
                rows = [row for request in of_problem for row in rows_of(request)]
                days = {row["day"] for row in rows} | {day_of(one.id) for one in of_problem if one.rows_refused}
                if new := {day for day in days if (problem, day) not in self._there}:
                    ensure(self._connection, problem, new)
                    made |= {(problem, day) for day in new}
                self._insert(problem, _SENT, rows)
                self._insert(REFUSED_ROWS, _SENT_OF_REFUSED, [_refused(one) for one in of_problem if one.rows_refused])
        self._there |= made

    def _insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        self._connection.execute(
            sql.SQL(
                "INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_to_recordset(%s::jsonb) AS sent ({typed})"
                " ON CONFLICT (day, id) DO NOTHING"
            ).format(
                table=table_of(table),
                names=sql.SQL(", ").join(map(sql.Identifier, columns)),
                typed=sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()
                ),
            ),
            (_json(rows),),
        )


def rows_of(request: AnsweredRequest) -> Iterator[dict[str, Any]]:
    """The predictions of a request as `by_id` tells each, and the day."""
    for one in request.predictions:
        yield {
            "day": one.day,
            "id": one.id,
            "time": one.time,
            "version": request.version,
            "entity": one.entity,
            "features": one.features,
            "probability": one.probability,
            "risk_category": one.risk_category,
            "decision": one.decision,
            "factors": one.factors,
            "decided_by": one.decided_by,
            "key_id": request.key_id,
            "latency_seconds": request.latency_seconds,
        }


def is_its_own(error: psycopg.Error) -> bool:
    """Whether a row is the reason that the database refused: then no later try can help, and others may be stored."""
    return (error.sqlstate or "")[:2] in ITS_OWN


def newest(connection: Connection, problem: str, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    """The stored predictions that are wanted, the newest first; none for a problem that has none."""
    found, values = _conditions(wanted)
    query = sql.SQL("SELECT {told} FROM {table} WHERE {found} ORDER BY day DESC, id DESC LIMIT {limit}").format(
        told=sql.SQL(", ").join(map(sql.Identifier, _TOLD)),
        table=table_of(problem),
        found=sql.SQL(" AND ").join([sql.SQL("true"), *map(sql.SQL, found)]),
        limit=sql.Literal(limit),
    )
    return _read(connection, query, values)


def by_id(connection: Connection, problem: str, wanted: UUID) -> dict[str, Any] | None:
    """One stored prediction."""
    query = sql.SQL("SELECT {told} FROM {table} WHERE (day, id) = (%(day)s, %(id)s)").format(
        told=sql.SQL(", ").join(map(sql.Identifier, _TOLD)), table=table_of(problem)
    )
    found = _read(connection, query, {"day": day_of(wanted), "id": wanted})
    return found[0] if found else None


def _read(connection: Connection, query: sql.Composed, values: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, values).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return []  # Made with the problem's first prediction.


def _conditions(wanted: Wanted) -> tuple[list[str], dict[str, Any]]:
    """SQL and its values. Each bound on ids is one on days, too, or every partition would be looked at."""
    found: list[str] = []
    values: dict[str, Any] = {}
    if wanted.since is not None:
        found += ["day >= %(since_day)s", "id >= %(since)s"]
        values |= {"since": first_at(wanted.since), "since_day": day_of(first_at(wanted.since))}
    below = [first_at(wanted.until)] if wanted.until is not None else []
    below += [wanted.before] if wanted.before is not None else []
    if below:
        found += ["day <= %(below_day)s", "id < %(below)s"]
        values |= {"below": min(below), "below_day": day_of(min(below))}
    for name in ("version", "risk_category", "entity"):
        if (value := getattr(wanted, name)) is not None:
            found.append(f"{name} = %({name})s")
            values[name] = value
    return found, values


def _refused(request: AnsweredRequest) -> dict[str, Any]:
    return {
        "day": day_of(request.id),
        "id": request.id,
        "time": time_of(request.id),
        "problem": request.problem,
        "version": request.version,
        "key_id": request.key_id,
        "rows_answered": len(request.predictions),
        "rows_refused": request.rows_refused,
    }


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as JSON that Postgres takes: it knows no NUL in a text, which a caller may send."""
    told = to_json(rows)
    return (to_json(_without_nul(from_json(told))) if b"\\u0000" in told else told).decode()


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, dict):
        return {key: _without_nul(one) for key, one in value.items()}
    return [_without_nul(one) for one in value] if isinstance(value, list) else value
