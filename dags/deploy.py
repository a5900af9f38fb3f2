"""Airflow DAG of stage 6: a candidate that passed becomes the champion, or the old champion is put back."""

from airflow.sdk import Param, TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from millrace.contract.problem import Problem
from millrace.orchestration import assets
from millrace.orchestration.defaults import dag_settings
from millrace.orchestration.problems import valid_problems
from millrace.orchestration.run_report import leave_report
from millrace.orchestration.tasks import check_connection, step

Facts = dict[str, object]
PARAMS = {
    "version": Param(None, type=["null", "integer"], minimum=1, description="Default: the newest that passed the gate")
}


def deploy(problem: Problem) -> None:
    name = problem.problem

    @dag(**dag_settings(problem, "deploy"), schedule=[assets.candidate(problem)], params=PARAMS)
    def stage() -> None:
        @task.short_circuit
        def choose_version() -> int | None:
            from millrace.steps.roll_out import version_to_deploy

            return version_to_deploy(name, asked=get_current_context()["params"]["version"])

        @step
        def verify_package(version: int) -> Facts:
            from millrace.steps.roll_out import verify_package

            return verify_package(name, version)

        @step
        def move_champion(version: int) -> Facts:
            from millrace.steps.roll_out import move_champion

            context = get_current_context()
            by_name = context["params"]["version"] is not None
            return move_champion(name, version, actor="deploy", reason=f"run {context['run_id']}", by_name=by_name)

        # It has waited; trying again would keep a champion in force that a replica cannot load.
        @step
        def await_fleet(moved: Facts) -> Facts:
            from millrace.steps.roll_out import await_fleet

            return await_fleet(name, int(str(moved["generation"])))

        @step(outlets=[assets.champion(problem)])
        def smoke_test(moved: Facts) -> Facts:
            from millrace.steps.roll_out import smoke_test

            return smoke_test(name, int(str(moved["version"])))

        @step(trigger_rule=TriggerRule.ONE_FAILED)
        def put_back(moved: Facts | None) -> None:
            from millrace.steps.roll_out import put_back

            # Airflow comes here as well when a task before the move failed. Skipping would make the run green.
            if moved is None:
                raise AirflowFailException("Nothing was moved: the champion is as it was. See the task that failed.")
            put_back(name, moved, reason=f"rollout failed in run {get_current_context()['run_id']}")

        version = choose_version()
        moved = move_champion(version)
        served, tested = await_fleet(moved), smoke_test(moved)
        check_connection("object_store", "warehouse", "fleet") >> version
        verify_package(version) >> moved
        served >> tested
        [served, tested] >> put_back(moved)
        leave_report(problem, "deploy")

    stage()


for each in valid_problems():
    deploy(each)
