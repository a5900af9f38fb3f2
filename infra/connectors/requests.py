"""What the keeper is asked for: `millrace resnapshot` writes a row, since it may neither drop a slot nor use Connect.

A row and not a file: in containers the keeper's files are its own. The asker needs one right, to insert it.
"""

from uuid import UUID

import psycopg


def waiting(connection: psycopg.Connection, problem: str) -> list[UUID]:
    """Requests that nobody has answered, to begin a problem's connector anew."""
    query = "SELECT id FROM millrace.connector_requests WHERE problem = %s AND answered_at IS NULL"
    return [row[0] for row in connection.execute(query, [problem])]


def answer(connection: psycopg.Connection, requests: list[UUID], words: str) -> None:
    """One answer to all: they asked for the same."""
    connection.execute(
        "UPDATE millrace.connector_requests SET answered_at = now(), answer = %s WHERE id = ANY(%s)", [words, requests]
    )
