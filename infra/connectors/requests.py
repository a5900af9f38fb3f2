"""What the keeper is asked for, a row each: `millrace resnapshot` and drills may neither drop a slot nor use Connect.

A row and not a file: in containers the keeper's files are its own. The asker needs one right, to insert it.
The keeper itself notes here what it begins, so that it finishes what it was killed in.
"""

from uuid import UUID

import psycopg


def waiting(connection: psycopg.Connection, problem: str) -> list[UUID]:
    """Requests that nobody has answered, to begin a problem's connector anew."""
    query = "SELECT id FROM millrace.connector_requests WHERE problem = %s AND wish = 'anew' AND answered_at IS NULL"
    return [row[0] for row in connection.execute(query, [problem])]


def to_forget(connection: psycopg.Connection) -> dict[str, list[UUID]]:
    """Problem → requests that nobody has answered, to forget it once its file is gone."""
    query = "SELECT problem, id FROM millrace.connector_requests WHERE wish = 'forget' AND answered_at IS NULL"
    found: dict[str, list[UUID]] = {}
    for problem, request in connection.execute(query):
        found.setdefault(problem, []).append(request)
    return found


def ask_anew(connection: psycopg.Connection, problem: str) -> UUID:
    """Notes that a problem's connector is to be begun anew."""
    [[request]] = connection.execute(
        "INSERT INTO millrace.connector_requests (problem) VALUES (%s) RETURNING id", [problem]
    ).fetchall()
    assert isinstance(request, UUID)
    return request


def answer(connection: psycopg.Connection, requests: list[UUID], words: str) -> None:
    """One answer to all: they asked for the same."""
    connection.execute(
        "UPDATE millrace.connector_requests SET answered_at = now(), answer = %s WHERE id = ANY(%s)", [words, requests]
    )
