"""Waits for changes without holding a worker."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from millrace.contract.problem import Problem
from millrace.orchestration.backlog_trigger import BacklogTrigger
from millrace.orchestration.verdicts import no_retry_of_verdicts

if TYPE_CHECKING:
    from airflow.sdk import Context


class ChangeBacklogSensor(BaseOperator):
    """Goes on when messages wait that bronze does not hold; skips, or waits deferred, when none do. Fails, without a
    retry, where only a person can say what to go on from.

    Any message is enough: how many, or how old, was asked by whoever started the run. It waits only in a run started by
    hand with the param `wait`; then until the backlog fires.
    """

    def __init__(self, *, problem: Problem, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.problem = problem

    def execute(self, context: "Context") -> int:  # noqa: RET503 - defer() raises
        from millrace.steps.change_backlog import waiting_messages

        with no_retry_of_verdicts():
            found = waiting_messages(self.problem)
        if found:
            return found
        if not context["params"].get("wait"):
            raise AirflowSkipException(f"Nothing waits in {' and '.join(self.problem.topics)}")
        self.defer(trigger=BacklogTrigger(self.problem.problem), method_name="execute_complete")

    def execute_complete(self, _context: "Context", event: dict[str, Any]) -> int:
        return int(event["messages"])
