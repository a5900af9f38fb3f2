"""Airflow DAG of stage 1: new files under the landing prefix become rows of bronze."""

from airflow.sdk import Param, dag, get_current_context, task

from millrace.contract.problem import Problem
from millrace.orchestration import assets
from millrace.orchestration.attempts import this_attempt
from millrace.orchestration.defaults import dag_settings
from millrace.orchestration.new_files_sensor import NewFilesSensor
from millrace.orchestration.problems import valid_problems
from millrace.orchestration.tasks import check_connection, step

PARAMS = {
    "keys": Param(None, type=["null", "array"], items={"type": "string"}, description="Only these objects"),
    "wait": Param(False, type="boolean", description="Wait for a new file if there is none"),
}


def ingest_files(problem: Problem) -> None:
    @dag(**dag_settings(problem, "ingest_files"), schedule=[assets.landing(problem)], params=PARAMS)
    def stage() -> None:
        @task
        def ingest_raw_data() -> dict[str, object]:
            from millrace.steps.ingest_files import ingest_raw_data

            keys = get_current_context()["params"]["keys"]
            return ingest_raw_data(problem, keys=keys, **this_attempt())

        @step(outlets=[assets.bronze(problem)])
        def quality_check_raw_data(ingested: dict[str, object]) -> dict[str, object]:
            from millrace.steps.ingest_files import check_raw_data

            return check_raw_data(problem, ingested)

        wait_for_files = NewFilesSensor(task_id="wait_for_files", problem=problem)
        ingested = ingest_raw_data()
        check_connection("object_store", "lake") >> wait_for_files >> ingested
        quality_check_raw_data(ingested)

    stage()


for each in valid_problems():
    ingest_files(each)
