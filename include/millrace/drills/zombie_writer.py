"""An attempt that was given up lives on inside the Spark server, and comes back after its retry has published."""

import subprocess
from typing import Any

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import LostRaceError, MillraceError
from millrace.contract.problem import Problem
from millrace.drills.content import fingerprints
from millrace.drills.drill import Drill
from millrace.drills.gate import Gate, closed_gate
from millrace.drills.reader import a_reader, tell_what_was_seen
from millrace.drills.scene import (
    PATIENCE_SECONDS,
    Scene,
    appear,
    await_arrival,
    await_rest,
    land,
    own_problem,
    rows_of_model,
)
from millrace.drills.telling import Telling
from millrace.drills.zombie import what_became_of, zombie_of
from millrace.steps.pending import PENDING

GATE = 4_110


def run(scene: Scene) -> None:
    telling = scene.telling
    with own_problem(scene, "zombie_writer") as problem:
        appear(scene, problem)
        land(problem, "first", rows_of_model(rows=600, seed=1).content)
        await_arrival(scene, problem, words="a first file is in gold and warehouse")
        before, silver = fingerprints(problem), names.silver(problem.source_name)
        _second_in_bronze(scene, problem)
        with a_reader(problem) as seen:
            with closed_gate(GATE) as gate, zombie_of(problem, gate) as zombie:
                telling.wait(
                    "an attempt has begun to write silver in Spark",
                    lambda: _stands_before(gate, zombie),
                    seconds=PATIENCE_SECONDS,
                )
                telling.broken(f"process {zombie.pid} stands still in the middle of its write, and is given up")
                _retry(scene, problem)
                published, after = lake.head(silver), fingerprints(problem)
                telling.now(f"the retry published {silver}; now the zombie wakes and goes on as if nothing had been")
                gate.open()
                outcome = what_became_of(zombie)
            tell_what_was_seen(telling, seen, [before, after], "the tables before the file or after it")
        tell_refused(telling, outcome)
        same = lake.head(silver) == published and fingerprints(problem) == after
        telling.found(same, "no table changed: they hold what the retry published, to the last value")


def _second_in_bronze(scene: Scene, problem: Problem) -> None:
    """Have a second file in bronze that silver has not taken in."""
    await_rest(scene, problem, "transform")
    scene.airflow.pause(names.dag_id(problem.problem, "transform"))
    land(problem, "second", rows_of_model(rows=600, seed=2, first_row=400).content)
    scene.telling.wait(
        "a second file is in bronze",
        lambda: not PENDING["ingest_files"](problem) and PENDING["transform"](problem),
        seconds=PATIENCE_SECONDS,
    )


def _stands_before(gate: Gate, zombie: "subprocess.Popen[str]") -> int:
    if (code := zombie.poll()) is not None:
        raise MillraceError(
            "The attempt that was to become a zombie has ended",
            place=f"process {zombie.pid}",
            found=f"exit code {code}",
            expected="a write of silver that stands before the gate",
            fix="its output, above, says why; run the drill again",
        )
    return gate.waiting()


def _retry(scene: Scene, problem: Problem) -> None:
    """What Airflow does when an attempt is given up: another one, which publishes."""
    transform = names.dag_id(problem.problem, "transform")
    scene.airflow.pause(transform, paused=False)
    if not scene.airflow.unfinished(transform):
        scene.airflow.trigger(transform, {})
    await_arrival(scene, problem, words="another attempt has taken the file to gold and warehouse")


def tell_refused(telling: Telling, outcome: dict[str, Any]) -> None:
    """Judge that the zombie came to the fence and was refused there.

    Args:
        outcome: What `what_became_of` returned. A zombie that fell over something else has shown nothing.
    """
    refused = outcome.get("refused") == LostRaceError.__name__
    telling.found(refused, "the zombie was refused: " + outcome["why"] if refused else f"it was not refused: {outcome}")


DRILL = Drill(
    fault="a given-up attempt lives on in Spark, and comes back after its retry has published",
    promise="nothing counts twice: each attempt writes to a branch of its own, and whoever is second is refused",
    disturbs="one of Spark's two slots is taken for a minute",
    run=run,
)
