"""`python -m millrace.drills.zombie <problem> <gate>`: an attempt that was given up, and lives on.

Its write of silver stands before the gate inside the Spark server. When the gate opens it goes on as if nothing had
happened: writes, has its branch checked, publishes. Prints one JSON object: what became of it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.errors import PySparkException

from millrace.adapters.connect import session
from millrace.contract.errors import MillraceError
from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.drills.gate import Gate, behind_gate
from millrace.settings import ROOT, get_settings
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.transform_data import transform_data
from spark_jobs import fenced_write, silver

PATIENCE_SECONDS = 300
STANDS_SECONDS = 3_600
"""A zombie may stand before its gate for so long."""


@contextmanager
def zombie_of(problem: Problem, gate: Gate) -> Iterator["subprocess.Popen[str]"]:
    """Such an attempt, in a process of its own."""
    command = [sys.executable, "-m", "millrace.drills.zombie", problem.problem, str(gate.number)]
    zombie = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield zombie
    finally:
        zombie.kill()


def what_became_of(zombie: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for its end: `published`, or `refused` (the error's name) and `why`."""
    output, _ = zombie.communicate(timeout=PATIENCE_SECONDS)
    outcome: dict[str, Any] = json.loads(output.splitlines()[-1])
    return outcome


def main(name: str, gate: int) -> None:
    problem = get_problem(name, get_settings().problems_dir)
    # The merge itself, not what is computed before it: both are reached from silver.
    for module, write in ((silver, "append"), (fenced_write, "merge")):
        setattr(module, write, behind_gate(getattr(module, write), gate))
    with session() as spark:
        # The gate is one side of a join, for which Spark waits five minutes; a retry on a busy machine may take longer.
        spark.conf.set("spark.sql.broadcastTimeout", str(STANDS_SECONDS))
        try:
            written = transform_data(spark, problem, attempt="zombie", run_id="given-up")
            outcome: dict[str, Any] = {"written": written, "published": check_silver_data(spark, problem, written)}
        # The merge itself may notice; an append does not, and is refused when it publishes.
        except (MillraceError, PySparkException) as error:
            why = f"{error.problem}: {error.found}" if isinstance(error, MillraceError) else str(error)[:500]
            outcome = {"refused": type(error).__name__, "why": why}
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
