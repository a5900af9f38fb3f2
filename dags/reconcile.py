"""Airflow DAG that finds whatever an asset event lost: is something pending in a stage? Then it starts that stage."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

from millrace.orchestration.defaults import task_defaults
from millrace.orchestration.problems import valid_problems

UNKNOWN = "unknown"

DOC = """### Reconcile
Every two minutes, for every stage of every problem: compare recorded positions (files against bronze, bronze against
silver, silver against gold, gold against warehouse and training, newest passed version against the champion) and start
what is behind. The run it starts is named after the level, so one level is started once an hour at most.
A stage that cannot be looked at fails the run, after the others are started: its log says which and why.
It also drops Iceberg branches that finished attempts left behind.
"""


@dag(
    dag_id="reconcile",
    dag_display_name="Reconcile",
    schedule=timedelta(minutes=2),
    doc_md=DOC,
    default_args=task_defaults("millrace"),
    tags=["stage:reconcile"],
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
)
def reconcile() -> None:
    @task
    def find_pending(ti: Any = None) -> list[dict[str, str]]:
        from millrace.orchestration.due import due_runs

        found = due_runs(valid_problems())
        ti.xcom_push(key=UNKNOWN, value=found["unknown"])
        return found["due"]

    @task
    def sweep_branches() -> list[str]:
        from millrace.orchestration.defaults import TASK_TIMEOUT
        from millrace.steps.sweep_branches import sweep_branches

        # Twice, because a branch may have been cut at the end of a task that then ran into its limit.
        return sweep_branches(valid_problems(), older_than_seconds=2 * TASK_TIMEOUT.total_seconds())

    @task
    def demand_all_known(unknown: list[str]) -> None:
        if unknown:
            raise AirflowFailException(f"Cannot tell whether these are behind: {', '.join(unknown)}")

    due: Any = find_pending()
    TriggerDagRunOperator.partial(task_id="start", skip_when_already_exists=True).expand_kwargs(due)
    demand_all_known(due[UNKNOWN])
    sweep_branches()


reconcile()
