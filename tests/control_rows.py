"""Names for tests that write to the shared control tables, and their removal."""

import uuid

from millrace.adapters.control import control


def throwaway_problem() -> str:
    """A problem name that nothing else uses."""
    return f"t_{uuid.uuid4().hex[:12]}"


def forget(problem: str) -> None:
    """Remove every trace of a throw-away problem; the append-only tables need their trigger off for it."""
    append_only = ("version_transitions", "champion_history", "batch_transitions", "applied_contracts", "extracts")
    with control() as connection:
        for table in append_only:
            connection.execute(f"ALTER TABLE control.{table} DISABLE TRIGGER append_only")
        for table in (*append_only, "champion", "replica_reports", "holds", "problem_holds", "extract_looks"):
            connection.execute(f"DELETE FROM control.{table} WHERE problem = %s", [problem])
        for table in append_only:
            connection.execute(f"ALTER TABLE control.{table} ENABLE TRIGGER append_only")
