"""A champion of a drill's problem, trained and rolled out by the running Airflow."""

from millrace.adapters import champions, fleet
from millrace.adapters.champions import Champion
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.drills.scene import PATIENCE_SECONDS, Scene

TRAINING_SECONDS = 2 * PATIENCE_SECONDS


def await_champion(scene: Scene, problem: Problem, *, words: str) -> Champion:
    """Wait until what landed has become a champion that every replica serves, and its runs are over.

    Raises:
        MillraceError: If the gate refuses it, or it takes too long.
    """
    champion = scene.telling.wait(words, lambda: _champion(problem), seconds=TRAINING_SECONDS)
    dags = [names.dag_id(problem.problem, stage) for stage in ("train", "deploy")]
    scene.telling.wait(
        f"every replica serves version {champion.version}, and its runs are over",
        lambda: served_everywhere(champion) and not any(map(scene.airflow.unfinished, dags)),
        seconds=PATIENCE_SECONDS,
    )
    return champion


def served_everywhere(champion: Champion) -> bool:
    """Whether each replica answers from this very champion."""
    found = [fleet.serves(url, champion.problem) for url in fleet.replicas()]
    return all((one.generation, one.content_hash) == (champion.generation, champion.content_hash) for one in found)


def _champion(problem: Problem) -> Champion | None:
    refused = [step for step in champions.transitions(problem.problem) if step.state == "refused"]
    if refused:
        raise MillraceError(
            "The drill has no champion to begin with",
            place=f"version {refused[0].version} of {problem.problem}",
            found=f"refused: {refused[0].reason}",
            expected="a model of honest rows that passes its gate",
            fix="run the drill again on a machine that is less busy; if it is refused again, report it",
        )
    return champions.current(problem.problem)
