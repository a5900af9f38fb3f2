"""What each serving replica says it serves: written by the replica, read by the status page and people."""

from dataclasses import dataclass
from datetime import datetime

from millrace.adapters.control import control


@dataclass(frozen=True)
class ReplicaReport:
    """What one replica serves of one problem. `error` says why it does not serve the champion, if so."""

    replica: str
    problem: str
    version: int | None
    generation: int | None
    content_hash: str | None
    error: str | None
    reported_at: datetime


def report(
    replica: str,
    problem: str,
    *,
    version: int | None,
    generation: int | None,
    content_hash: str | None,
    error: str | None = None,
) -> None:
    """Record what the replica serves now, in place of what it said before."""
    with control() as connection:
        connection.execute(
            """
            INSERT INTO control.replica_reports (replica, problem, version, generation, content_hash, error)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (replica, problem) DO UPDATE SET (version, generation, content_hash, error, reported_at) =
                (EXCLUDED.version, EXCLUDED.generation, EXCLUDED.content_hash, EXCLUDED.error, clock_timestamp())
            """,
            [replica, problem, version, generation, content_hash, error],
        )


def replica_reports(problem: str) -> list[ReplicaReport]:
    """The last report of every replica on one problem, by replica."""
    with control() as connection:
        rows = connection.execute(
            "SELECT replica, problem, version, generation, content_hash, error, reported_at"
            " FROM control.replica_reports WHERE problem = %s ORDER BY replica",
            [problem],
        ).fetchall()
    return [ReplicaReport(**row) for row in rows]


def forget(problem: str) -> None:
    """Delete what the replicas said of a problem that is gone."""
    with control() as connection:
        connection.execute("DELETE FROM control.replica_reports WHERE problem = %s", [problem])
