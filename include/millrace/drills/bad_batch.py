"""Batches that break a limit: one of too few rows, though each row is valid; one whose rows are mostly broken."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.drills.content import EMPTY, fingerprints
from millrace.drills.drill import Drill
from millrace.drills.reader import a_reader, tell_what_was_seen
from millrace.drills.scene import PATIENCE_SECONDS, Scene, appear, await_arrival, land, own_problem, rows_of_model
from millrace.steps.decide_batch import decide
from millrace.steps.refused_batches import RefusedBatch, refused_batches

MIN_ROWS = 300


def run(scene: Scene) -> None:
    telling = scene.telling
    with own_problem(scene, "bad_batch", at_least_rows) as problem:
        appear(scene, problem)
        with a_reader(problem) as seen:
            few = rows_of_model(rows=100, seed=1, broken_share=0)
            where = land(problem, "few", few.content)
            telling.broken(
                f"{where}: {few.rows} rows, each of them valid, where the contract wants {MIN_ROWS} at least"
            )
            _tell_refused(scene, problem, "rows:min_rows")

            good = rows_of_model(rows=600, seed=2, first_row=1_000)
            where = land(problem, "good", good.content)
            telling.now(f"{where}: {good.rows} rows more, so that there are enough")
            await_arrival(scene, problem, words="both files passed the checks and are in gold and warehouse")
            published = fingerprints(problem)

            broken = rows_of_model(rows=400, seed=3, first_row=5_000, broken_share=0.9)
            where = land(problem, "broken", broken.content)
            telling.broken(f"{where}: {broken.quarantined_rows} of {broken.rows} rows break the contract")
            refused = _tell_refused(scene, problem, "batch:max_quarantined_share")

            reason = "the drill sent it"
            decide(problem, refused.batch, "rejected", actor="drill", reason=reason)
            telling.now(f'millrace reject {problem.problem} {refused.batch} --reason "{reason}": the file is set aside')
            scene.airflow.trigger(names.dag_id(problem.problem, "transform"), {})
            await_arrival(scene, problem, words="nothing is pending any more")
        tell_what_was_seen(telling, seen, [EMPTY, published], "nothing, or the rows that had passed their checks")
        after = fingerprints(problem)
        same = all(after[layer] == published[layer] for layer in ("silver", "gold", "warehouse"))
        telling.found(same, "silver, gold and warehouse hold what they held before the broken file, to the last value")


def at_least_rows(content: dict[str, Any]) -> None:
    (source,) = content["sources"].values()
    source["quality"] = {"min_rows": MIN_ROWS}


def _tell_refused(scene: Scene, problem: Problem, rule: str) -> RefusedBatch:
    """Wait until a check has refused what landed last, and tell why."""
    refused = scene.telling.wait(
        "a check has judged it", _newly_refused(problem, datetime.now(UTC)), seconds=PATIENCE_SECONDS
    )
    observed = f"batch {refused.batch} is refused by the check of {refused.stage}, and waits: {refused.why}"
    scene.telling.found(rule in refused.rules, observed)
    return refused


def _newly_refused(problem: Problem, since: datetime) -> Callable[[], RefusedBatch | None]:
    def look() -> RefusedBatch | None:
        return next((one for one in refused_batches(problem) if one.at > since and one.state == "refused"), None)

    return look


DRILL = Drill(
    fault="a batch with too few rows, then a file of mostly broken rows",
    promise="bad data never reaches a reader: a batch that breaks a limit is not published, and waits for a person",
    disturbs="",
    run=run,
)
