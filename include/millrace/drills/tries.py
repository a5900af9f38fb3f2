"""How often Airflow tried the tasks that took a file in."""

from datetime import datetime

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.drills.scene import Scene


def tried_again(scene: Scene, problem: Problem, since: datetime) -> dict[str, int]:
    """Task → tries, of those that needed more than one, in runs of ingestion and transform that began since then."""
    found: dict[str, int] = {}
    for stage in ("ingest_files", "transform"):
        for run in scene.airflow.runs_since(names.dag_id(problem.problem, stage), since):
            for task in scene.airflow.tasks(run):
                found[task.task_id] = max(task.try_number, found.get(task.task_id, 0))
    return {task: tries for task, tries in found.items() if tries > 1}
