"""Waits for new files without holding a worker."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from millrace.contract.problem import Problem
from millrace.orchestration.landing_trigger import LandingTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class NewFilesSensor(BaseOperator):
    """Goes on when there are files that bronze does not know; skips, or waits deferred, when there are none.

    It waits only in a run started by hand with the param `wait`: other runs start because something was seen, and if
    another run took it meanwhile, there is nothing to wait for.
    """

    def __init__(self, *, problem: Problem, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.problem = problem

    def execute(self, context: "Context") -> int:  # noqa: RET503 - defer() raises
        from millrace.steps.landed_files import new_files

        keys = context["params"].get("keys")
        found = new_files(self.problem)
        if found or keys:
            return len(found)
        if not context["params"].get("wait"):
            raise AirflowSkipException(f"No new file of {self.problem.problem}")
        self.defer(trigger=LandingTrigger(self.problem.problem), method_name="execute_complete")

    def execute_complete(self, _context: "Context", event: dict[str, Any]) -> int:
        return int(event["new_files"])
