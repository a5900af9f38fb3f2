"""Names for tests that write to the shared control tables, and their removal."""

import uuid

from millrace.adapters.control import control


def throwaway_problem() -> str:
    """A problem name that nothing else uses."""
    return f"t_{uuid.uuid4().hex[:12]}"


def forget(problem: str) -> None:
    """Remove every trace of a throw-away problem; the append-only tables need their trigger off for it."""
    with control() as connection:
        for table in ("version_transitions", "champion_history"):
            connection.execute(f"ALTER TABLE control.{table} DISABLE TRIGGER append_only")
        for table in ("champion", "champion_history", "version_transitions", "replica_reports", "holds"):
            connection.execute(f"DELETE FROM control.{table} WHERE problem = %s", [problem])
        for table in ("version_transitions", "champion_history"):
            connection.execute(f"ALTER TABLE control.{table} ENABLE TRIGGER append_only")
