"""A slot is dropped while Connect is down, and with it the log of what is committed meanwhile, deletions too."""

from millrace.adapters import keeper_report, source_database, supervised
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.drills.drill import Drill
from millrace.drills.live import await_truth, live_problem, moved_and_deleted
from millrace.drills.scene import PATIENCE_SECONDS, Scene
from millrace.drills.telling import Telling
from millrace.simulation.live import Played, play
from millrace.simulation.world import Statement
from millrace.steps.changes_state import changes_state
from millrace.steps.resnapshot import needed, resnapshot

SEED, RATE, ROWS = 12, 100, 200
INSERTED, MOVED, DELETED = 30, 5, 10
"""Rows, while nobody listens: of those that are deleted, no change will ever tell."""


def run(scene: Scene) -> None:
    telling = scene.telling
    with live_problem(scene, "lost_slot") as problem:
        played = play(problem, seed=SEED)
        played.play_rows(ROWS, rate=RATE)
        await_truth(scene, played)
        try:
            stopped = supervised.stop("kafka_connect")
            telling.broken(f"Kafka Connect (process {stopped}) is stopped")
            _drop_slot(scene, problem)
            played.load(unheard(played))
            telling.now(f"unheard, {INSERTED} rows are inserted, {DELETED} are deleted, {MOVED} get other keys")
        finally:
            telling.now(f"Connect is started again: process {supervised.start('kafka_connect')}")
        said = telling.wait(
            "the keeper of the connectors says what is to be done",
            lambda: _way_out(problem),
            seconds=PATIENCE_SECONDS,
            pending=lambda: keeper_report.missing(problem.problem),
        )
        tell_told(telling, problem.problem, said, changes_state(problem).slot)
        telling.now(f"millrace resnapshot {problem.problem}: {needed(problem, say=_quietly).anew}")
        done = resnapshot(problem, anew=True, say=telling.now)
        telling.now(f"the keeper answered: {done.anew}")
        await_truth(scene, played)
        played.play_rows(ROWS, rate=RATE)
        await_truth(scene, played)


def _drop_slot(scene: Scene, problem: Problem) -> None:
    # The server may not have noticed yet that Connect is gone, and drops no slot in use.
    scene.telling.wait("its slot is not in use", lambda: not _in_use(problem.problem), seconds=PATIENCE_SECONDS)
    source_database.drop_slot(problem.problem)
    scene.telling.broken(
        f"slot {names.connector(problem.problem)} is dropped: nobody keeps the log of what is committed from now on"
    )


def _in_use(problem: str) -> bool:
    slot = source_database.slot(problem)
    return slot is not None and slot.active


def unheard(played: Played) -> list[Statement]:
    """What the application does while nobody listens, each row once: of one that is changed twice, only the result will
    be known, and not what its features were at first."""
    return [
        *played.application.first_rows(INSERTED, broken_share=0),
        *moved_and_deleted(played, moved=MOVED, deleted=DELETED),
    ]


def _way_out(problem: Problem) -> str | None:
    said = keeper_report.missing(problem.problem)
    return said if said and "resnapshot" in said else None


def tell_told(telling: Telling, problem: str, report: str, slot: str) -> None:
    """Judge that both the report of the keeper and `millrace status` name the way out."""
    way_out = f"millrace resnapshot {problem}"
    telling.found(way_out in report, f"the keeper tells: {report}")
    telling.found(way_out in slot, f"millrace status tells of the slot: {slot}")


def _quietly(_words: str) -> None:
    """What is looked at is told when it is done."""


DRILL = Drill(
    fault="the slot of a connector is dropped while Connect is down and rows are committed and deleted",
    promise="a loss is told, with the way out, and never passed over: `millrace resnapshot` brings every row, and what"
    " was deleted meanwhile goes",
    disturbs="no change of any problem comes until Connect is back; then all of them come",
    run=run,
    strikes="kafka_connect",
)
