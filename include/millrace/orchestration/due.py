"""Which DAG runs `reconcile` should start, and of which stages it cannot tell."""

import hashlib
import logging
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import get_current_context

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps.held import held
from millrace.steps.pending import PENDING

log = logging.getLogger(__name__)


def due_runs(problems: list[Problem]) -> dict[str, list[Any]]:
    """Look at every stage of every problem.

    The run id holds a hash of what is pending and the hour: while nothing changes, a stage whose runs fail (a batch
    that its check refused stays pending until someone decides it) is started again once an hour, not every two minutes.

    Returns:
        due: arguments of `TriggerDagRunOperator` for each stage that is behind and has no run under way;
        unknown: each stage that cannot be looked at, and the kind of error, in words.
    """
    context = get_current_context()
    hour = datetime.now(UTC).strftime("%Y-%m-%dT%H")
    due, unknown = [], []
    for problem in problems:
        for stage, pending in PENDING.items():
            try:
                why = pending(problem)
                if why is None and stage == "deploy" and (words := held(problem.problem)):
                    log.info("Nothing of %s is deployed: it is %s", problem.problem, words)
            except Exception as error:  # one problem, or one engine, that fails must not stop the others
                log.exception("Cannot tell whether %s of %s is behind", stage, problem.problem)
                unknown.append(f"{stage} of {problem.problem} ({type(error).__name__})")
                continue
            if why is None:
                continue
            dag_id = names.dag_id(problem.problem, stage)
            if context["ti"].get_dr_count(dag_id=dag_id, states=["queued", "running"]):
                continue
            level = hashlib.sha256(why.encode()).hexdigest()[:12]
            due.append(
                {
                    "trigger_dag_id": dag_id,
                    "trigger_run_id": f"reconcile__{hour}__{level}",
                    "note": why,
                }
            )
    return {"due": due, "unknown": unknown}
