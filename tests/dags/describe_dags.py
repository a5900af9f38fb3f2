"""`python -m tests.dags.describe_dags`: reads the DAG files as Airflow would, in a fresh process; says what it found.

Prints one JSON object: `errors` (file → message), `modules` (what reading the files imported), `dags` (id → facts).
"""

import json
import sys
from pathlib import Path
from typing import Any

from millrace.settings import ROOT


def describe(dag: Any) -> dict[str, Any]:
    return {
        "title": dag.dag_display_name,
        "doc": dag.doc_md,
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "params": {name: dag.params.get_param(name).schema for name in dag.params},
        "waits_for": sorted(assets_of(dag.timetable.asset_condition)),
        "tasks": {task.task_id: describe_task(task) for task in dag.tasks},
    }


def assets_of(condition: Any) -> set[str]:
    """Names of the assets in a schedule, whatever `and` and `or` join them."""
    if condition is None:
        return set()
    parts = getattr(condition, "objects", None)
    return {condition.name} if parts is None else set().union(*map(assets_of, parts))


def describe_task(task: Any) -> dict[str, Any]:
    return {
        "owner": task.owner,
        "retries": task.retries,
        "backoff": task.retry_exponential_backoff,
        "max_retry_delay_seconds": task.max_retry_delay and task.max_retry_delay.total_seconds(),
        "timeout_seconds": task.execution_timeout and task.execution_timeout.total_seconds(),
        "pool": task.pool,
        "outlets": [asset.name for asset in task.outlets],
        "decides_the_run": not task.is_teardown or task.on_failure_fail_dagrun,
        "upstream": sorted(task.upstream_task_ids),
    }


def main() -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(ROOT / "dags"))
    found = {
        "errors": {Path(path).name: message for path, message in bag.import_errors.items()},
        "modules": sorted({name.split(".")[0] for name in sys.modules}),
        "dags": {dag_id: describe(dag) for dag_id, dag in bag.dags.items()},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
