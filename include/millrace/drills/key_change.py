"""An application gives rows other keys, and deletes some."""

from millrace.contract.problem import Problem
from millrace.domain.row_keys import row_key
from millrace.drills.content import gold_keys, served_rows
from millrace.drills.drill import Drill
from millrace.drills.live import await_truth, live_problem, moved_and_deleted
from millrace.drills.scene import LEVELS_SECONDS, PATIENCE_SECONDS, Scene
from millrace.drills.telling import Telling
from millrace.simulation.live import Played, play

SEED, ROWS, REKEYED, DELETED = 14, 200, 40, 20


def run(scene: Scene) -> None:
    telling = scene.telling
    with live_problem(scene, "key_change") as problem:
        played = play(problem, seed=SEED)
        played.load(played.application.first_rows(ROWS, broken_share=0))
        await_truth(scene, played)
        before = _keys(played)
        _await_keys(scene, problem, before, words=f"gold and warehouse hold the {ROWS} rows of the table")
        played.load(moved_and_deleted(played, moved=REKEYED, deleted=DELETED))
        after = _keys(played)
        telling.broken(f"in one transaction {REKEYED} rows get other keys, and {DELETED} are deleted")
        await_truth(scene, played)
        _await_keys(scene, problem, after, words="gold and warehouse have taken that in")
        tell_keys(telling, gold_keys(problem), set(served_rows(problem)), gone=before - after, there=after)


def _keys(played: Played) -> set[str]:
    return {row_key(played.problem.source, key) for key in played.world.rows}


def _await_keys(scene: Scene, problem: Problem, keys: set[str], *, words: str) -> None:
    scene.telling.wait(
        words,
        lambda: gold_keys(problem) == keys and set(served_rows(problem)) == keys,
        seconds=PATIENCE_SECONDS,
        pending=lambda: f"gold has {len(gold_keys(problem))} rows, {len(gold_keys(problem) - keys)} of other keys",
        every_seconds=LEVELS_SECONDS,
    )


def tell_keys(telling: Telling, gold: set[str], warehouse: set[str], *, gone: set[str], there: set[str]) -> None:
    """Judge that gold and warehouse hold the keys that there are, and none that went."""
    for layer, keys in (("gold", gold), ("warehouse", warehouse)):
        old, missing = len(keys & gone), len(there - keys)
        words = f"{len(keys & there)} of {len(there)} keys that there are, {old} of {len(gone)} that went"
        telling.found(not old and not missing, f"{layer} holds {words}")


DRILL = Drill(
    fault="an application gives rows other keys, and deletes some",
    promise="a row is where its key is: gold and warehouse hold the new keys, and nothing of the old ones",
    disturbs="",
    run=run,
)
