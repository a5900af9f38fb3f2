"""Airflow DAG of stage 2: what waits in topics, changes and rows of producers, becomes rows of bronze."""

from airflow.sdk import Param, dag

from millrace.contract.problem import Problem
from millrace.orchestration import assets
from millrace.orchestration.attempts import this_attempt
from millrace.orchestration.change_backlog_sensor import ChangeBacklogSensor
from millrace.orchestration.defaults import dag_settings
from millrace.orchestration.problems import valid_problems
from millrace.orchestration.tasks import check_connection, spark_step

PARAMS = {"wait": Param(False, type="boolean", description="Wait for changes if there are none")}


def ingest_changes(problem: Problem) -> None:
    @dag(**dag_settings(problem, "ingest_changes"), schedule=[assets.changes(problem)], params=PARAMS)
    def stage() -> None:
        @spark_step(outlets=[assets.bronze(problem)])
        def ingest_changes(spark: object = None) -> dict[str, object]:
            from millrace.steps.ingest_changes import ingest_changes

            return ingest_changes(spark, problem, **this_attempt())

        wait_for_changes = ChangeBacklogSensor(task_id="wait_for_changes", problem=problem)
        check_connection("object_store", "lake", "topics") >> wait_for_changes >> ingest_changes()

    stage()


for each in valid_problems():
    if each.topics:
        ingest_changes(each)
