"""What every DAG of Millrace has in common."""

from datetime import timedelta
from typing import Any

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.orchestration.dag_docs import dag_doc
from millrace.orchestration.failures import note_failure

TASK_TIMEOUT = timedelta(minutes=30)
"""The longest a task may run; stray branches of attempts older than this are swept."""


def task_defaults(owner: str) -> dict[str, Any]:
    """Faults are retried with growing pauses; verdicts are not (see `verdicts`)."""
    return {
        "owner": owner,
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": TASK_TIMEOUT,
        "on_failure_callback": note_failure,
    }


def dag_settings(problem: Problem, stage: str) -> dict[str, Any]:
    """Arguments of `@dag` for one stage of one problem, but for its schedule and params.

    One run at a time: each table has a single writing DAG, so this serialises the living; the fence of each write
    (a branch of its own, published by compare-and-set) is for attempts that live on after they were given up.
    """
    return {
        "dag_id": names.dag_id(problem.problem, stage),
        "dag_display_name": names.dag_title(problem.title, stage),
        "doc_md": dag_doc(problem, stage),
        "default_args": task_defaults(problem.owner),
        "tags": [f"problem:{problem.problem}", f"stage:{stage}"],
        "catchup": False,
        "max_active_runs": 1,
        "is_paused_upon_creation": False,
    }
