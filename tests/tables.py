"""The content of a problem's tables, as its readers see it, in a form that can be compared."""

from typing import Any

from millrace.adapters import object_store
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.drills.content import BRONZE, QUARANTINE, fingerprints, gold_columns, gold_keys, served_rows
from millrace.simulation.files import SimulatedFile, simulate_file
from tests.throwaway import SHIPPED

__all__ = [
    "BRONZE",
    "QUARANTINE",
    "fingerprints",
    "gold_columns",
    "gold_keys",
    "land",
    "land_simulated",
    "served_rows",
    "simulated",
]


def land(problem: Problem, name: str, content: bytes) -> str:
    """Put a file where the problem's files appear."""
    return object_store.put_landing(f"{problem.landing_prefix}{name}.csv", content)


def simulated(problem: Problem, *, rows: int, seed: int = 1, first_row: int = 0, **more: Any) -> SimulatedFile:
    """A file for a problem made by `problem_like`, from the world of the shipped one.

    A simulated world follows from its problem's name: a throw-away one would have another world in each session,
    and now and then one that no model learns enough of to pass the gate.
    """
    shipped = load_problem(SHIPPED / f"{problem.problem.rpartition('_')[0]}.yaml")
    return simulate_file(shipped, rows=rows, seed=seed, first_row=first_row, **more)


def land_simulated(problem: Problem, *, rows: int, seed: int = 1, first_row: int = 0, **more: Any) -> SimulatedFile:
    """Simulate a file and land it."""
    file = simulated(problem, rows=rows, seed=seed, first_row=first_row, **more)
    land(problem, f"part-{first_row:08d}-{seed}", file.content)
    return file
