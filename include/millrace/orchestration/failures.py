"""What a failed task leaves behind for the report of its run."""

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from millrace.contract.errors import LostRaceError, MillraceError

if TYPE_CHECKING:
    from airflow.sdk import Context

FAILURE = "failure"
"""The XCom of a failed task: text and is_verdict."""


def note_failure(context: "Context") -> None:
    """Keep what a task said when it failed for good. A callback of every task."""
    context["ti"].xcom_push(key=FAILURE, value=failure_told(context.get("exception")))


def failure_told(error: object) -> dict[str, str | bool]:
    """An error as a report may show it: ours in full, since they show no secret and no sensitive value; of others the
    kind alone, for they may quote a row."""
    cause = error.__cause__ if isinstance(error, AirflowFailException) and error.__cause__ else error
    if isinstance(cause, MillraceError):
        # `no_retry_of_verdicts` makes these two final; a race that was lost is no verdict on the data.
        is_verdict = isinstance(error, AirflowFailException) and not isinstance(cause, LostRaceError)
        return {"text": str(cause), "is_verdict": is_verdict}
    if isinstance(cause, AirflowFailException):
        return {"text": str(cause), "is_verdict": False}
    if isinstance(cause, AirflowTaskTimeout):
        return {"text": "The task took longer than it may, and was ended", "is_verdict": False}
    kind = type(cause).__name__ if isinstance(cause, BaseException) else "an error"
    return {"text": f"{kind}: the log of the task in Airflow says more", "is_verdict": False}
