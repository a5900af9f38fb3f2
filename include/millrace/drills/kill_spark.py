"""The Spark server is killed in the middle of writing silver."""

from datetime import UTC, datetime

from millrace.adapters import lake, supervised
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.drills.content import fingerprints
from millrace.drills.drill import Drill
from millrace.drills.held_commit import held_commit
from millrace.drills.reader import a_reader, tell_equal, tell_what_was_seen
from millrace.drills.scene import PATIENCE_SECONDS, Scene, appear, await_arrival, land, own_problem, rows_of_model
from millrace.drills.telling import Telling
from millrace.drills.tries import tried_again


def run(scene: Scene) -> None:
    telling = scene.telling
    # The second brings new keys, and other rows of known ones.
    first, second = (rows_of_model(rows=1_200, seed=seed, first_row=900 * seed).content for seed in (0, 1))
    with own_problem(scene, "kill_spark") as problem, own_problem(scene, "kill_spark_twin") as twin:
        appear(scene, problem, twin)
        for each in (problem, twin):
            land(each, "first", first)
        await_arrival(scene, problem, twin, words="both hold a first file of 1,200 rows")
        before = fingerprints(problem)
        land(twin, "second", second)
        await_arrival(scene, twin, words="the twin took in a second one, undisturbed")
        expected = fingerprints(twin)

        landed = datetime.now(UTC)
        with a_reader(problem) as seen:
            where = land(problem, "second", second)
            telling.now(f"the same second file lands at {where}")
            killed = _kill_mid_silver(scene, problem)
            back = telling.wait(
                "the supervisor has brought Spark back", lambda: _another_than(killed), seconds=PATIENCE_SECONDS
            )
            telling.now(f"Spark is process {back} now")
            await_arrival(scene, problem, words="the file is in gold and warehouse all the same")
        tell_tries(telling, tried_again(scene, problem, landed).get("transform_data", 1))
        tell_what_was_seen(telling, seen, [before, expected], "the tables before the file or after it, nothing between")
        tell_equal(telling, fingerprints(problem), expected)


def _kill_mid_silver(scene: Scene, problem: Problem) -> int:
    """Kill the server while it stands before its commit to silver; returns its process id."""
    silver = names.silver(problem.source_name)
    scene.telling.wait(
        f"an attempt writes to {silver}", lambda: lake.stray_branches(silver, -1), seconds=PATIENCE_SECONDS
    )
    with held_commit(silver) as held:
        scene.telling.wait(
            "Spark has written its files and stands before the commit", held.waits_in_spark, seconds=PATIENCE_SECONDS
        )
        killed = supervised.kill("spark")
        scene.telling.broken(f"Spark (process {killed}) killed with signal 9, in the middle of its write to {silver}")
    return killed


def _another_than(killed: int) -> int | None:
    found = supervised.pid("spark")
    return found if found != killed else None


def tell_tries(telling: Telling, tries: int) -> None:
    """Judge that the killed attempt was not the last one."""
    telling.found(tries > 1, f"Airflow tried transform_data {tries} times, by itself")


DRILL = Drill(
    fault="the Spark server is killed in the middle of writing silver",
    promise="nothing is lost and nothing counts twice: the tables end as those of a twin that nobody disturbed",
    disturbs="whoever uses Spark loses that query, and waits until the server is back; Airflow tries its tasks again",
    run=run,
    strikes="spark",
)
