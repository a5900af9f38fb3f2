"""What a drill works on: problems of its own, known to the running Airflow, of which nothing is left afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from millrace.adapters import object_store
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract import names
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.drills.clearing import clear
from millrace.drills.likeness import MODEL, SHIPPED, like
from millrace.drills.telling import Telling
from millrace.settings import get_settings
from millrace.simulation.files import SimulatedFile, simulate_file
from millrace.steps.pending import PENDING

PREFIX = "drill_"
PATIENCE_SECONDS = 1_800
LEVELS_SECONDS = 2.0
"""Between two looks at the levels, each of which reads catalog, tables and warehouse."""
Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Scene:
    """`mark`: makes the names of this drill's problems its own."""

    telling: Telling
    airflow: AirflowApi
    mark: str


@contextmanager
def own_problem(scene: Scene, name: str, change: Change = lambda _content: None) -> Iterator[Problem]:
    """A problem like the model, under the name `drill_<name>_<mark>`; after the block nothing is left of it.

    Args:
        change: Edits the content of the file, as YAML reads it.
    """
    path = get_settings().problems_dir / f"{PREFIX}{name}_{scene.mark}.yaml"
    content = like(MODEL, problem=path.stem, title=f"Drill {name} {scene.mark}", source=f"{path.stem}_rows")
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    problem = load_problem(path)
    try:
        yield problem
    finally:
        clear(problem, path, scene.airflow)
        followed = ", connector, slot, topics" if problem.change_table else ""
        scene.telling.now(f"{problem.problem} is gone: file, DAGs, landed files, tables, reports, models{followed}")


def appear(scene: Scene, *problems: Problem, train: bool = False) -> None:
    """Wait until Airflow knows the problems' DAGs; without `train`, no training will start."""
    dags = [names.dag_id(problem.problem, stage) for problem in problems for stage in problem.stages]
    told = " and ".join(problem.problem for problem in problems)
    scene.telling.wait(f"Airflow knows {told}", lambda: all(map(scene.airflow.knows, dags)), seconds=PATIENCE_SECONDS)
    for problem in problems if not train else ():
        scene.airflow.pause(names.dag_id(problem.problem, "train"))


def rows_of_model(*, rows: int, seed: int, first_row: int = 0, broken_share: float = 0.1) -> SimulatedFile:
    """A file for a problem of a drill, from the world of its model: a world follows from a problem's name."""
    model = load_problem(SHIPPED / f"{MODEL}.yaml")
    return simulate_file(model, rows=rows, seed=seed, first_row=first_row, broken_share=broken_share)


def land(problem: Problem, name: str, content: bytes) -> str:
    """Put a file where the problem's files appear; returns its address."""
    return object_store.put_landing(f"{problem.landing_prefix}{name}.csv", content)


def await_arrival(scene: Scene, *problems: Problem, words: str) -> None:
    """Wait until whatever has landed is in the warehouse."""
    scene.telling.wait(
        words,
        lambda: all(map(has_arrived, problems)),
        seconds=PATIENCE_SECONDS,
        pending=lambda: [why_behind(problem) for problem in problems],
        every_seconds=LEVELS_SECONDS,
    )


def await_rest(scene: Scene, problem: Problem, stage: str) -> None:
    """Wait until no run of a stage is under way: one that writes its report still would be taken for the next one."""
    dag = names.dag_id(problem.problem, stage)
    scene.telling.wait(f"{dag} is at rest", lambda: not scene.airflow.unfinished(dag), seconds=PATIENCE_SECONDS)


def has_arrived(problem: Problem) -> bool:
    """Whether all that landed is in the warehouse. Not answering, because of a fault, is an answer too."""
    return why_behind(problem) == ""


def why_behind(problem: Problem) -> str:
    """What of the problem's rows is not in the warehouse; empty where all are."""
    try:
        return "; ".join(why for stage in ("ingest_files", "transform") if (why := PENDING[stage](problem)))
    except Exception as error:  # noqa: BLE001 - which error depends on what is down at this moment
        return f"no answer: {type(error).__name__}"


def left_behind() -> list[Path]:
    """Problem files of drills that were killed before they could clean up."""
    return sorted(get_settings().problems_dir.glob(f"{PREFIX}*.yaml"))
