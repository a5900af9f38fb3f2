"""The object store is gone for a while, in the middle of an ingestion."""

import time
from datetime import UTC, datetime

from millrace.adapters import lake, supervised
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.drills.content import EMPTY, fingerprints
from millrace.drills.drill import Drill
from millrace.drills.reader import a_reader, tell_equal, tell_what_was_seen
from millrace.drills.scene import PATIENCE_SECONDS, Scene, appear, await_arrival, land, own_problem, rows_of_model
from millrace.drills.tries import tried_again

ROWS = 60_000
"""A file that takes seconds to ingest."""
OUTAGE_SECONDS = 20


def run(scene: Scene) -> None:
    telling = scene.telling
    content = rows_of_model(rows=ROWS, seed=7).content
    with own_problem(scene, "dead_store") as problem, own_problem(scene, "dead_store_twin") as twin:
        appear(scene, problem, twin)
        land(twin, "file", content)
        await_arrival(scene, twin, words=f"the twin took in a file of {ROWS:,} rows, undisturbed")
        expected = fingerprints(twin)
        landed = datetime.now(UTC)
        with a_reader(problem) as seen:
            land(problem, "file", content)
            _outage_mid_ingest(scene, problem)
            await_arrival(scene, problem, words="the file is in gold and warehouse; nobody did anything for it")
        again = [f"{task} {tries} times" for task, tries in tried_again(scene, problem, landed).items()]
        telling.now("Airflow tried " + (", ".join(again) if again else "no task more than once: clients waited"))
        tell_what_was_seen(telling, seen, [EMPTY, expected], "nothing of the file, or all of it")
        tell_equal(telling, fingerprints(problem), expected)


def _outage_mid_ingest(scene: Scene, problem: Problem) -> None:
    bronze, telling = names.bronze_files(problem.source_name), scene.telling
    telling.wait(f"an attempt writes to {bronze}", lambda: lake.stray_branches(bronze, -1), seconds=PATIENCE_SECONDS)
    try:
        stopped = supervised.stop("minio")
        telling.broken(f"MinIO (process {stopped}) is stopped for {OUTAGE_SECONDS} s: no table and no file can be read")
        time.sleep(OUTAGE_SECONDS)  # the outage itself
    finally:
        telling.now(f"MinIO is started again: process {supervised.start('minio')}")


DRILL = Drill(
    fault=f"the object store is stopped for {OUTAGE_SECONDS} seconds in the middle of an ingestion",
    promise="nothing is lost and nothing counts twice: work goes on by itself, and ends as that of an undisturbed twin",
    disturbs=f"nobody reads or writes the lake for {OUTAGE_SECONDS} seconds; Airflow tries its tasks again",
    run=run,
    strikes="minio",
)
