"""A Ray job as a task: submitted, waited for in the triggerer, taken up again after any restart."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

from millrace.contract.errors import MillraceError

if TYPE_CHECKING:
    from airflow.sdk import Context

LOG_LINES = 40


class RayJobOperator(BaseOperator):
    """Runs `python -m <module> <arguments>` as a Ray job.

    The submission id is derived from run and task, so a crash between submitting and noting the id finds the job again;
    it is noted (XCom, trigger arguments) before the first look. A retry takes up a running or succeeded job and starts
    a new one only after a failed or lost one.

    Args:
        module: The module to run, such as `millrace.steps.tune`.
        arguments: Its command line arguments, templated.
    """

    template_fields = ("arguments",)

    def __init__(
        self,
        *,
        module: str,
        arguments: list[str],
        poll_seconds: float = 2.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.module = module
        self.arguments = arguments
        self.poll_seconds = poll_seconds

    def execute(self, context: "Context") -> None:
        from millrace.adapters import ray_jobs

        ti = context["ti"]
        base = ray_jobs.submission_base(ti.dag_id, ti.run_id, ti.task_id)
        submission_id = ray_jobs.submit(base, ["python", "-m", self.module, *self.arguments])
        ti.xcom_push(key="submission_id", value=submission_id)
        self.log.info("Ray job %s", submission_id)
        self.defer(
            trigger=RayJobTrigger(submission_id, self.poll_seconds),
            method_name="execute_complete",
        )

    def execute_complete(self, _context: "Context", event: dict[str, Any]) -> str:
        from millrace.adapters import ray_jobs

        submission_id = str(event["submission_id"])
        self.log.info(
            "Last lines of the job's log:\n%s",
            ray_jobs.logs_tail(submission_id, LOG_LINES),
        )
        if event["status"] != "SUCCEEDED":
            raise MillraceError(
                f"Ray job {self.task_id} ended as {event['status']}",
                place=f"submission {submission_id}",
                found=str(event.get("message") or event["status"]),
                expected="SUCCEEDED",
                fix="read the log above; the task is retried and takes up what the job had saved",
            )
        return submission_id


class RayJobTrigger(BaseTrigger):
    """Yields once, when the job has ended or is unknown to the cluster (its head was replaced)."""

    def __init__(self, submission_id: str, poll_seconds: float) -> None:
        super().__init__()
        self.submission_id = submission_id
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {
            "submission_id": self.submission_id,
            "poll_seconds": self.poll_seconds,
        }
        return "millrace.orchestration.ray_job.RayJobTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            try:
                status = await asyncio.to_thread(_status, self.submission_id)
            except ConnectionError as error:
                # The head restarts within seconds; a lost job is told by the head itself, as LOST.
                self.log.warning("Ray does not answer: %s", error)
                status = "UNREACHABLE"
            if status in ("SUCCEEDED", "FAILED", "STOPPED", "LOST"):
                yield TriggerEvent({"submission_id": self.submission_id, "status": status})
                return
            await asyncio.sleep(self.poll_seconds)


def _status(submission_id: str) -> str:
    # Imported here, in the thread: importing Ray would hold up every other trigger of this process.
    from millrace.adapters import ray_jobs

    return ray_jobs.status(submission_id)
