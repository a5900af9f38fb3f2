"""Airflow DAG of stage 6: a candidate that passed becomes the champion, or the old champion is put back."""

from airflow.sdk import Param, TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from millrace.contract.problem import Problem
from millrace.orchestration import assets
from millrace.orchestration.defaults import dag_settings
from millrace.orchestration.problems import valid_problems
from millrace.orchestration.verdicts import no_retry_of_verdicts

Facts = dict[str, object]
PARAMS = {
    "version": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        description="Default: the newest that passed the gate",
    )
}


def deploy(problem: Problem) -> None:
    @dag(
        **dag_settings(problem, "deploy"),
        schedule=[assets.candidate(problem)],
        params=PARAMS,
    )
    def stage() -> None:
        @task
        def check_connection() -> None:
            from millrace.adapters import fleet, object_store, warehouse

            object_store.ping()
            warehouse.ping()
            fleet.ping()

        @task.short_circuit
        def choose_version() -> int | None:
            from millrace.steps.roll_out import version_to_deploy

            return version_to_deploy(problem.problem, asked=get_current_context()["params"]["version"])

        @task
        def verify_package(version: int) -> Facts:
            from millrace.steps.roll_out import verify_package

            with no_retry_of_verdicts():
                return verify_package(problem.problem, version)

        @task
        def move_champion(version: int) -> Facts:
            from millrace.steps.roll_out import move_champion

            context = get_current_context()
            with no_retry_of_verdicts():
                return move_champion(
                    problem.problem,
                    version,
                    actor="deploy",
                    reason=f"run {context['run_id']}",
                )

        @task
        def await_fleet(moved: Facts) -> Facts:
            from millrace.steps.roll_out import await_fleet

            # It has waited; trying again would keep a champion in force that a replica cannot load.
            with no_retry_of_verdicts():
                return await_fleet(problem.problem, int(str(moved["generation"])))

        @task(outlets=[assets.champion(problem)])
        def smoke_test(moved: Facts) -> Facts:
            from millrace.steps.roll_out import smoke_test

            with no_retry_of_verdicts():
                return smoke_test(problem.problem, int(str(moved["version"])))

        @task(trigger_rule=TriggerRule.ONE_FAILED)
        def put_back(moved: Facts | None) -> None:
            from millrace.steps.roll_out import put_back

            # Airflow comes here as well when a task before the move failed. Skipping would make the run green.
            if moved is None:
                raise AirflowFailException("Nothing was moved: the champion is as it was. See the task that failed.")
            with no_retry_of_verdicts():
                put_back(
                    problem.problem,
                    moved,
                    reason=f"rollout failed in run {get_current_context()['run_id']}",
                )

        version = choose_version()
        moved = move_champion(version)
        served, tested = await_fleet(moved), smoke_test(moved)
        check_connection() >> version
        verify_package(version) >> moved
        served >> tested
        [served, tested] >> put_back(moved)

    stage()


for each in valid_problems():
    deploy(each)
