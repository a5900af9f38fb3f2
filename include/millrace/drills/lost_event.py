"""The event that says that bronze is new is deleted from Airflow's tables, so that nobody will ever hear of it."""

from datetime import UTC, datetime

from millrace.adapters import airflow_tables
from millrace.adapters.airflow_api import Run
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.drills.content import fingerprints
from millrace.drills.drill import Drill
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
    why_behind,
)
from millrace.drills.telling import Telling

LOOKS = 2
"""A look of reconcile that is under way may have passed the problem already; the one after it must find it."""


def run(scene: Scene) -> None:
    telling = scene.telling
    with own_problem(scene, "lost_event") as problem:
        appear(scene, problem)
        land(problem, "first", rows_of_model(rows=600, seed=1).content)
        await_arrival(scene, problem, words="a first file is in gold and warehouse")
        before = fingerprints(problem)
        with a_reader(problem) as seen:
            lost = _lose(scene, problem)
            found = telling.wait(
                "reconcile has compared the levels and started transform",
                lambda: _started(scene, problem, lost),
                seconds=PATIENCE_SECONDS,
                pending=lambda: why_behind(problem),
            )
            looks = [look for look in scene.airflow.runs_since("reconcile", lost) if look.created <= found.created]
            tell_found(telling, found, lost, looks=max(1, len(looks)))
            await_arrival(scene, problem, words="the second file is in gold and warehouse")
        tell_what_was_seen(telling, seen, [before, fingerprints(problem)], "the tables before the file or after it")


def _lose(scene: Scene, problem: Problem) -> datetime:
    """Let a second file into bronze, and delete what tells of it; returns when."""
    asset = names.bronze_asset(problem.source_name)
    ingest, transform = (names.dag_id(problem.problem, stage) for stage in ("ingest_files", "transform"))
    await_rest(scene, problem, "transform")
    # Otherwise Airflow reacts within a second: a paused DAG is not started by an event, nor when it goes on.
    scene.airflow.pause(transform)
    airflow_tables.lose_events(asset)  # the first file's, which was heard of
    land(problem, "second", rows_of_model(rows=600, seed=2, first_row=2_000).content)
    events = scene.telling.wait(
        f"the second file is in bronze, and the event of {asset} is written",
        lambda: [] if scene.airflow.unfinished(ingest) else airflow_tables.lose_events(asset),
        seconds=PATIENCE_SECONDS,
    )
    scene.airflow.pause(ingest)  # Run once more, it would say that transform is behind.
    lost = datetime.now(UTC)
    scene.airflow.pause(transform, paused=False)
    rows = ", ".join(map(str, events))
    scene.telling.broken(f"row {rows} of Airflow's asset_event ({asset}) is deleted: no event will start {transform}")
    return lost


def _started(scene: Scene, problem: Problem, lost: datetime) -> Run | None:
    transform = names.dag_id(problem.problem, "transform")
    runs = scene.airflow.unfinished(transform) + scene.airflow.runs_since(transform, lost)
    return next((run for run in runs if run.start is not None), None)


def tell_found(telling: Telling, found: Run, lost: datetime, *, looks: int) -> None:
    """Judge that it was reconcile that started the run, and soon.

    Args:
        found: The run of transform that came after the loss.
        looks: How often reconcile had looked by then.
    """
    seconds = max(0.0, (found.created - lost).total_seconds())
    words = f"run {found.run_id} was started {seconds:.0f} s after the loss, by look {looks} of reconcile"
    telling.found(found.run_id.startswith("reconcile__") and looks <= LOOKS, words)


DRILL = Drill(
    fault="the event that starts transform is deleted from Airflow's tables",
    promise=f"events only make it faster: reconcile compares levels every two minutes, and look {LOOKS} at the latest"
    " finds what an event lost",
    disturbs="",
    run=run,
)
