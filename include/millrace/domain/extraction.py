"""Which rows an extract must read, by what the last one landed; and whether there is anything new among them.

Two rules leave no gap, whoever is killed between any two steps: an extract begins no later than the newest landed
value, less the overlap; and what is landed is recorded after it is there.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from millrace.contract.hashing import digest
from millrace.contract.problem import Problem

Watermark = int | datetime


@dataclass(frozen=True)
class Extracted:
    """What one extract landed.

    Attributes:
        number: From 1 on; a later one read a later state of the table.
        path: Of the object, in the landing bucket.
        is_full: Whether it holds every row, and not only those from a watermark on.
        shape: Hash of what was asked for; see `shape_of`.
        until: The newest watermark that was not in the future then, as text; None without one.
        tail: Number and digest of the rows that the next extract would begin with, if none changed.
        read_at: When the table was read, by the clock of its database (ISO 8601).
        run_id: Of the run that asked for it.
    """

    number: int
    path: str
    rows: int
    is_full: bool
    shape: str
    until: str | None
    tail: str
    read_at: str
    run_id: str


@dataclass(frozen=True)
class Look:
    """What a table holds in one snapshot of its database.

    Attributes:
        read_at: Its clock.
        newest: The greatest watermark that is not in the future; None if no row has one.
        greatest: The greatest watermark.
    """

    read_at: datetime
    newest: Watermark | None
    greatest: Watermark | None


def shape_of(problem: Problem) -> str:
    """Hash of what an extract asks for, and for which source. What was landed of another one tells no level."""
    source = problem.source
    assert source.extract is not None
    columns = {name: [column.type, source.header_of(name)] for name, column in source.columns.items()}
    # Under another name the source has tables of its own, which hold none of these rows.
    asked = {"source": problem.source_name, "table": problem.extract_table, "watermark": source.extract.watermark}
    return digest(asked | {"columns": columns})


def begins_at(last: Extracted | None, problem: Problem, *, full: bool = False) -> Watermark | None:
    """The watermark from which on, itself included, rows must be read; None for every row."""
    if full or last is None or last.until is None or last.shape != shape_of(problem):
        return None
    return before(parsed(last.until), problem)


def before(watermark: Watermark | None, problem: Problem) -> Watermark | None:
    """A watermark less the overlap; None where nothing is before it."""
    extract = problem.source.extract
    assert extract is not None
    if watermark is None:
        return None
    if isinstance(watermark, int):
        return watermark - int(extract.overlap_of("integer"))
    try:
        return watermark - timedelta(seconds=extract.overlap_of("timestamp"))
    except OverflowError:
        return None


def went_back(begin: Watermark | None, look: Look) -> bool:
    """Whether the table holds nothing as new as what was landed: it was restored, or is another one.

    What was written since may then have an earlier watermark than what was landed, and would be passed over.
    """
    return begin is not None and look.greatest is not None and _is_before(look.greatest, begin)


def is_news(found: str, last: Extracted | None, problem: Problem) -> bool:
    """Whether rows of this number and digest are others than those which the last extract landed."""
    return last is None or last.shape != shape_of(problem) or last.tail != found


def text(watermark: Watermark | None) -> str | None:
    """A watermark as it is recorded."""
    return watermark.isoformat() if isinstance(watermark, datetime) else None if watermark is None else str(watermark)


def parsed(recorded: str) -> Watermark:
    """The watermark that was recorded as this text."""
    try:
        return int(recorded)
    except ValueError:
        return datetime.fromisoformat(recorded).astimezone(UTC)


def _is_before(one: Watermark, other: Watermark) -> bool:
    if isinstance(one, int) and isinstance(other, int):
        return one < other
    assert isinstance(one, datetime)
    assert isinstance(other, datetime)
    return one < other
