"""Kafka Connect is killed while an application commits."""

from millrace.adapters import supervised
from millrace.drills.drill import Drill
from millrace.drills.live import await_new_rows, await_truth, live_problem
from millrace.drills.scene import PATIENCE_SECONDS, Scene
from millrace.simulation.at_work import AtWork

SEED, RATE = 11, 10


def run(scene: Scene) -> None:
    telling = scene.telling
    with live_problem(scene, "kill_connect") as problem:
        with AtWork(problem, seed=SEED, rate=RATE) as application:
            await_new_rows(scene, application, words="an application works on the table, and its rows are in silver")
            killed = supervised.kill("kafka_connect")
            telling.broken(f"Kafka Connect (process {killed}) killed with signal 9; the application goes on")
            back = telling.wait(
                "the supervisor has brought Connect back", lambda: _another_than(killed), seconds=PATIENCE_SECONDS
            )
            telling.now(f"Connect is process {back} now")
            await_new_rows(scene, application, words="rows that were committed since are in silver")
        await_truth(scene, application.played)


def _another_than(killed: int) -> int | None:
    found = supervised.pid("kafka_connect")
    return found if found != killed else None


DRILL = Drill(
    fault="Kafka Connect is killed while an application commits",
    promise="nothing is lost and nothing counts twice: silver ends as the application left its table, and no message"
    " stands in bronze twice",
    disturbs="no change of any problem comes until Connect is back; then all of them come",
    run=run,
    strikes="kafka_connect",
)
