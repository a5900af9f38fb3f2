"""A column that knows the label finds its way into the files: the model that learns it is too good to be true."""

import csv
import io
from typing import Any

from millrace.adapters import champions
from millrace.adapters.champions import Champion, Transition
from millrace.contract import names
from millrace.contract.label import Label
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.drills.drill import Drill
from millrace.drills.likeness import MODEL, SHIPPED
from millrace.drills.scene import Scene, appear, await_arrival, land, own_problem, rows_of_model
from millrace.drills.telling import Telling
from millrace.drills.trained import TRAINING_SECONDS, await_champion, served_everywhere

LEAK = "days_in_treatment"
HONEST_ROWS, LEAKING_ROWS = 1_200, 6_000


def run(scene: Scene) -> None:
    telling = scene.telling
    with own_problem(scene, "leak", with_a_leak) as problem:
        appear(scene, problem, train=True)
        land(problem, "honest", file_with(LEAK, rows=HONEST_ROWS, seed=1, knows_label=False))
        champion = await_champion(scene, problem, words=f"a model of {HONEST_ROWS:,} honest rows is the champion")
        train = names.dag_id(problem.problem, "train")
        # Until all rows are there; a training that only looks whether it is due would be in the way.
        scene.airflow.pause(train)
        where = land(problem, "leaking", file_with(LEAK, rows=LEAKING_ROWS, seed=2, knows_label=True))
        telling.broken(
            f"{where}: in {LEAKING_ROWS:,} rows, column {LEAK} is known only after the outcome, and tells it"
        )
        await_arrival(scene, problem, words="each of these rows is valid, and is in gold")
        if not scene.airflow.unfinished(train):
            scene.airflow.trigger(train, {"force": True})
        scene.airflow.pause(train, paused=False)
        judged = telling.wait(
            "a candidate that learned from them is judged",
            lambda: _judged_after(problem, champion),
            seconds=TRAINING_SECONDS,
        )
        tell_gate(telling, judged)
        tell_unmoved(telling, champion, champions.current(problem.problem))
        telling.found(served_everywhere(champion), f"every replica answers from version {champion.version}")


def with_a_leak(content: dict[str, Any]) -> None:
    (source,) = content["sources"].values()
    source["columns"][LEAK] = {"type": "number", "nullable": True}
    content["gate"]["suspicious_auc"] = 0.93


def file_with(column: str, *, rows: int, seed: int, knows_label: bool) -> bytes:
    """A file of the model's rows with a column more, which says nothing, or says the label."""
    model = load_problem(SHIPPED / f"{MODEL}.yaml")
    assert isinstance(model.label, Label)
    plain = rows_of_model(rows=rows, seed=seed, first_row=seed * 10_000, broken_share=0).content
    lines = list(csv.DictReader(io.StringIO(plain.decode(model.source.encoding))))
    positive, label = str(model.label.positive), model.source.header_of(model.label.column)
    written = io.StringIO()
    writer = csv.DictWriter(written, [*lines[0], column], lineterminator="\n")
    writer.writeheader()
    for number, line in enumerate(lines):
        writer.writerow(line | {column: str((10 if line[label] == positive else 0) if knows_label else number % 11)})
    return written.getvalue().encode(model.source.encoding)


def _judged_after(problem: Problem, champion: Champion) -> Transition | None:
    steps = [step for step in champions.transitions(problem.problem) if step.version > champion.version]
    return next((step for step in steps if step.state in {"passed", "refused"}), None)


def tell_gate(telling: Telling, judged: Transition) -> None:
    """Tell each condition that was not met, and judge that the gate refused the version for being too good."""
    conditions = (judged.detail or {}).get("conditions", [])
    failed = [condition for condition in conditions if not condition["passed"]]
    for condition in failed:
        observed = "undefined" if condition["observed"] is None else f"{condition['observed']:.3f}"
        told = f"{condition['name']} {observed}, limit {condition['limit']:.3f} ({condition['words']})"
        telling.now(f"version {judged.version}: {told}")
    suspicious = any(condition["name"] == "suspiciously_good" for condition in failed)
    words = f"version {judged.version} is {judged.state}" + (" as suspiciously good" if suspicious else "")
    telling.found(judged.state == "refused" and suspicious, words)


def tell_unmoved(telling: Telling, before: Champion, now: Champion | None) -> None:
    """Judge that the champion is what it was."""
    same = now is not None and (now.generation, now.content_hash) == (before.generation, before.content_hash)
    words = f"is what it was: version {before.version}, {before.content_hash[:12]}…"
    telling.found(same, f"the champion {words if same else f'is another one: {now}'}")


DRILL = Drill(
    fault="a column that is known only after the outcome is planted into the files",
    promise="a model that is too good to be true is refused by the gate, and the champion stays",
    disturbs="Ray searches and fits two small models",
    run=run,
)
