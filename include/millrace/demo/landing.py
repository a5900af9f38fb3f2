"""Putting the demo's files where the problems' files land."""

import csv
import io
import time
from dataclasses import dataclass
from pathlib import Path

from millrace.adapters import object_store
from millrace.contract.problem import Problem
from millrace.simulation.files import match_real_files, simulate_file

ROWS = 8_000
BROKEN_SHARE = 0.1


@dataclass(frozen=True)
class Landed:
    """A file under a landing prefix, and what the simulator knows about it."""

    rows: int
    expected_by_reason: dict[str, int] | None
    """Quarantined rows by reason; None for real data, whose truth nobody knows."""


def land_simulated(problem: Problem) -> Landed:
    """Land rows with a known truth. Keys rise with time: a second demo brings new rows instead of the same again."""
    now = int(time.time())
    file = simulate_file(problem, rows=ROWS, seed=now, broken_share=BROKEN_SHARE, first_row=now % 10_000 * ROWS)
    object_store.put_landing(f"{problem.landing_prefix}{problem.problem}-{now}.csv", file.content)
    return Landed(rows=ROWS, expected_by_reason=dict(file.expected_by_reason))


def land_real(problem: Problem, folder: Path) -> Landed:
    """Land the one file of a folder whose header fits the problem."""
    content = match_real_files(folder, [problem])[problem.problem].read_bytes()
    object_store.put_landing(f"{problem.landing_prefix}{problem.problem}-{int(time.time())}.csv", content)
    rows = sum(1 for _ in csv.reader(io.StringIO(content.decode(problem.source.encoding)))) - 1
    return Landed(rows=rows, expected_by_reason=None)
