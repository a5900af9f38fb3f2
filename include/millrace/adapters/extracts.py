"""What extracts have landed: the level from which the next one begins. Rows are only added."""

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from millrace.adapters.control import control
from millrace.domain.extraction import Extracted

_NAMES = tuple(field.name for field in fields(Extracted))


def newest(problem: str) -> Extracted | None:
    """The last extract that was recorded; None before the first."""
    with control() as connection:
        row = connection.execute(
            "SELECT * FROM control.extracts WHERE problem = %s ORDER BY number DESC LIMIT 1", [problem]
        ).fetchone()
    return None if row is None else Extracted(**{name: row[name] for name in _NAMES})


def record(problem: str, extracted: Extracted) -> None:
    """Add what is there. Harmless when it is known: an object of one number is one object."""
    columns, places = ", ".join(_NAMES), ", ".join(f"%({name})s" for name in _NAMES)
    values: dict[str, Any] = {"problem": problem, **asdict(extracted)}
    with control() as connection:
        connection.execute(
            f"INSERT INTO control.extracts (problem, {columns}) VALUES (%(problem)s, {places})"
            " ON CONFLICT (problem, number) DO NOTHING",
            values,
        )


def note(problem: str, said: str) -> None:
    """Keep what the last look at the table came to, in words."""
    with control() as connection:
        connection.execute(
            """
            INSERT INTO control.extract_looks (problem, said) VALUES (%s, %s)
            ON CONFLICT (problem) DO UPDATE SET said = excluded.said, at = clock_timestamp()
            """,
            [problem, said],
        )


def last_look(problem: str) -> tuple[datetime, str] | None:
    """When the table was looked at last, and what that came to; None if it never was."""
    with control() as connection:
        row = connection.execute("SELECT at, said FROM control.extract_looks WHERE problem = %s", [problem]).fetchone()
    return None if row is None else (row["at"], row["said"])
