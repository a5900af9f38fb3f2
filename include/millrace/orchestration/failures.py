"""What a failed task leaves behind for the report of its run."""

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from millrace.contract.errors import LostRaceError, MillraceError

if TYPE_CHECKING:
    from airflow.sdk import Context

FAILURE = "failure"
"""The XCom of a failed task, as `failure_told` makes it."""


def note_failure(context: "Context") -> None:
    """Keep what a task said when it failed for good. A callback of every task."""
    context["ti"].xcom_push(key=FAILURE, value=failure_told(context.get("exception")))


def failure_told(error: object) -> dict[str, Any]:
    """An error as a report may show it.

    Errors of ours are told in full: they show no secret and no sensitive value. Of others the kind alone is told, for
    they may quote a row.

    Returns:
        problem, is_verdict; and of an error of ours place, found, expected, fix.
    """
    cause = error.__cause__ if isinstance(error, AirflowFailException) and error.__cause__ else error
    if isinstance(cause, MillraceError):
        # `no_retry_of_verdicts` makes both final; a race that was lost is no verdict on the data.
        is_verdict = isinstance(error, AirflowFailException) and not isinstance(cause, LostRaceError)
        told = {"place": cause.place, "found": cause.found, "expected": cause.expected, "fix": cause.fix}
        return {"problem": cause.problem, "is_verdict": is_verdict, **told}
    if isinstance(cause, AirflowFailException):
        return {"problem": str(cause), "is_verdict": False}
    if isinstance(cause, AirflowTaskTimeout):
        return {"problem": "The task took longer than it may, and was ended", "is_verdict": False}
    kind = type(cause).__name__ if isinstance(cause, BaseException) else "An error"
    return {"problem": f"{kind}: the log of the task in Airflow says more", "is_verdict": False}
