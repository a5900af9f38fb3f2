"""How the demo's rows come: committed in the source database where the problem follows a table, otherwise in a file."""

import time
from dataclasses import dataclass
from pathlib import Path

from millrace.adapters import object_store
from millrace.contract.problem import Problem
from millrace.simulation.files import match_real_files, simulate_file
from millrace.simulation.live import Played, play

ROWS = 8_000
BROKEN_SHARE = 0.1


@dataclass(frozen=True)
class Arrived:
    """Rows that are on their way, and what the simulator knows about them."""

    stage: str
    """The stage that takes them in."""
    expected_by_reason: dict[str, int] | None = None
    """Rows of the file that must be quarantined, by reason; None for real data, whose truth nobody knows."""
    application: Played | None = None
    """Who committed them, and knows what silver must hold."""


def bring_simulated(problem: Problem) -> Arrived:
    """Rows with a known truth. Keys rise with time: a second demo brings new rows instead of the same again."""
    now = int(time.time())
    if problem.source.changes is not None:
        application = play(problem, seed=now)
        # At once, as the table that somebody begins to follow.
        application.load(application.application.first_rows(ROWS, broken_share=BROKEN_SHARE))
        return Arrived("ingest_changes", application=application)
    file = simulate_file(problem, rows=ROWS, seed=now, broken_share=BROKEN_SHARE, first_row=now % 10_000 * ROWS)
    object_store.put_landing(f"{problem.landing_prefix}{problem.problem}-{now}.csv", file.content)
    return Arrived("ingest_files", expected_by_reason=dict(file.expected_by_reason))


def bring_real(problem: Problem, folder: Path) -> Arrived:
    """Land the one file of a folder whose header fits the problem."""
    content = match_real_files(folder, [problem])[problem.problem].read_bytes()
    object_store.put_landing(f"{problem.landing_prefix}{problem.problem}-{int(time.time())}.csv", content)
    return Arrived("ingest_files")
