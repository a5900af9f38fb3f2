"""What is kept of a request that was answered: its predictions, and how many of its rows were refused."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from millrace.contract.errors import MillraceError
from millrace.contract.source import Column, Scalar
from millrace.domain.uuid7 import day_of, time_of

LONGEST_ENTITY = 500
"""Characters of an entity that are kept as they are: an index of Postgres takes no text above 2,700 bytes."""


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """One prediction as it was answered. Its time is that of its id."""

    id: UUID
    """A UUIDv7."""
    entity: str | None
    """The row's key as the lake has it (`storable_entity`); None if the caller did not tell it."""
    features: Mapping[str, Scalar | None]
    """The validated row, without a column that the contract calls sensitive."""
    probability: float
    risk_category: str
    decision: bool
    factors: Sequence[Mapping[str, Any]]
    """name, value, contribution; none where none were asked for, or an override decided."""
    decided_by: str

    @property
    def time(self) -> datetime:
        return time_of(self.id)

    @property
    def day(self) -> date:
        """In UTC, and of the id: told by a clock at the time of storing, a replay across midnight would count twice."""
        return day_of(self.id)


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """One request, kept as a whole or not at all."""

    id: UUID
    """A UUIDv7 of its own."""
    problem: str
    version: int
    key_id: str | None
    """Id of the API key that asked."""
    latency_seconds: float
    """From the first byte of the request to this record; of each of its rows."""
    rows_refused: int
    predictions: Sequence[PredictionRecord]


_READER = TypeAdapter(AnsweredRequest)


def as_bytes(request: AnsweredRequest) -> bytes:
    """The request as one line of JSON."""
    return to_json(request)


def from_bytes(line: bytes) -> AnsweredRequest:
    """What `as_bytes` wrote.

    Raises:
        MillraceError: If it is something else, such as the line of another version of Millrace.
    """
    try:
        return _READER.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise MillraceError(
            "A kept request cannot be read",
            place=".".join(map(str, first["loc"])) or "the whole line",
            found=first["msg"],
            expected="a line that this version of Millrace wrote",
            fix="store it with the version that wrote it, or read it by eye: it is JSON",
        ) from error


def storable_columns(columns: Mapping[str, Column]) -> tuple[str, ...]:
    """Of the columns of a request, those that may be kept: a sensitive one never."""
    return tuple(name for name, column in columns.items() if not column.sensitive)


def storable_entity(entity: str) -> str:
    """The entity as it is kept and looked for: a very long one by its SHA-256."""
    return entity if len(entity) <= LONGEST_ENTITY else hashlib.sha256(entity.encode()).hexdigest()
