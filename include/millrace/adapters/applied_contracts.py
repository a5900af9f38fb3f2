"""Which contract each problem's tables are to follow: what was applied, by whom and why. Rows are only ever added."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from millrace.adapters.control import control


@dataclass(frozen=True)
class Applied:
    """A contract that was put in force. `contract` is the whole problem file, as it was then."""

    contract_hash: str
    contract: dict[str, Any]
    actor: str
    reason: str
    at: datetime


def newest(problem: str) -> Applied | None:
    """The contract in force, or None before the problem's first transform."""
    return next(iter(_newest_first(problem, None)), None)


def of_hash(problem: str, contract_hash: str) -> Applied | None:
    """The newest contract of this hash; None where there was none."""
    return next(iter(_newest_first(problem, contract_hash)), None)


def record(problem: str, contract_hash: str, contract: dict[str, Any], *, actor: str, reason: str) -> None:
    """Put a contract in force. Harmless when it is."""
    with control() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('millrace contract ' || %s, 0))", [problem])
        connection.execute(
            """
            INSERT INTO control.applied_contracts (problem, contract_hash, contract, actor, reason)
            SELECT %(problem)s, %(hash)s, %(contract)s, %(actor)s, %(reason)s
            WHERE %(hash)s IS DISTINCT FROM (
                SELECT contract_hash FROM control.applied_contracts WHERE problem = %(problem)s ORDER BY id DESC LIMIT 1
            )
            """,
            {"problem": problem, "hash": contract_hash, "contract": Jsonb(contract), "actor": actor, "reason": reason},
        )


def _newest_first(problem: str, contract_hash: str | None) -> list[Applied]:
    query = """
        SELECT contract_hash, contract, actor, reason, at FROM control.applied_contracts
        WHERE problem = %(problem)s AND (%(hash)s::text IS NULL OR contract_hash = %(hash)s) ORDER BY id DESC LIMIT 1
    """
    with control() as connection:
        rows = connection.execute(query, {"problem": problem, "hash": contract_hash}).fetchall()
    return [Applied(**row) for row in rows]
