"""Airflow DAG of stage 0: what is new in a table that nobody tells the changes of lands as a file."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, Param, dag, get_current_context

from millrace.contract.problem import Problem
from millrace.orchestration.defaults import dag_settings
from millrace.orchestration.problems import valid_problems
from millrace.orchestration.tasks import check_connection, step

LONGEST = timedelta(hours=12)
"""It reads a table of any size, and holds no branch that the sweep would take."""
PARAMS = {"full": Param(False, type="boolean", description="Read every row, whatever was landed before")}


def schedule(problem: Problem) -> CronTriggerTimetable | None:
    """The contract's; None if it is read by hand alone."""
    assert problem.source.extract is not None
    told = problem.source.extract.schedule
    return None if told is None else CronTriggerTimetable(told, timezone="UTC")


def extract(problem: Problem) -> None:
    @dag(**dag_settings(problem, "extract"), schedule=schedule(problem), params=PARAMS)
    def stage() -> None:
        @step(execution_timeout=LONGEST)
        def extract_table() -> dict[str, object]:
            from millrace.steps.extract_table import extract_table

            context = get_current_context()
            return extract_table(problem, run_id=str(context["run_id"]), full=bool(context["params"]["full"]))

        check_connection("object_store", "source_table") >> extract_table()

    stage()


for each in valid_problems():
    if each.source.extract is not None:
        extract(each)
