"""Which attempt of which run is at work: the names under which its branches and files go."""

from typing import TypedDict

from airflow.sdk import get_current_context


class Attempt(TypedDict):
    """`attempt` is unique to one try of one task; `run_id` is the DAG run's."""

    attempt: str
    run_id: str


def this_attempt() -> Attempt:
    """The attempt that runs now. Airflow gives each try of a task an id of its own."""
    context = get_current_context()
    return Attempt(attempt=str(context["ti"].id), run_id=str(context["run_id"]))
