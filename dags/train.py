"""Airflow DAG of stage 5: gold at a tag becomes a judged candidate."""

from airflow.sdk import (
    AssetOrTimeSchedule,
    CronTriggerTimetable,
    Param,
    dag,
    get_current_context,
    task,
)

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.orchestration import assets
from millrace.orchestration.defaults import dag_settings
from millrace.orchestration.problems import valid_problems
from millrace.orchestration.ray_job import RayJobOperator
from millrace.orchestration.verdicts import no_retry_of_verdicts

PARAMS = {"force": Param(False, type="boolean", description="Train even if nothing asks for it")}


def schedule(problem: Problem) -> object:
    """New gold, and the contract's cron expression if it has one."""
    gold = assets.gold(problem)
    if problem.schedules.train is None:
        return [gold]
    return AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(problem.schedules.train, timezone="UTC"),
        assets=[gold],
    )


def train(problem: Problem) -> None:
    @dag(**dag_settings(problem, "train"), schedule=schedule(problem), params=PARAMS)
    def stage() -> None:
        @task
        def check_connection() -> None:
            from millrace.adapters import lake, object_store, ray_jobs, registry

            object_store.ping()
            lake.ping()
            ray_jobs.ping()
            registry.ping()

        @task.short_circuit
        def is_training_due() -> bool:
            from millrace.steps.pending_models import pending_train

            context = get_current_context()
            scheduled = context["dag_run"].run_type == "scheduled"
            return bool(context["params"]["force"] or scheduled or pending_train(problem))

        @task
        def load_training_data() -> dict[str, object]:
            from millrace.steps.load_training_data import load_training_data

            return load_training_data(problem, run_key=names.run_key(get_current_context()["run_id"]))

        @task
        def save_results(loaded: dict[str, object]) -> int:
            from millrace.steps.save_results import save_results

            return int(save_results(problem, run_key=str(loaded["run_key"]))["version"])

        @task(outlets=[assets.candidate(problem)])
        def judge_candidate(version: int) -> dict[str, object]:
            from millrace.steps.judge_candidate import judge_candidate

            with no_retry_of_verdicts():
                return judge_candidate(problem, version)

        loaded = load_training_data()
        of_loaded = "{{ ti.xcom_pull(task_ids='load_training_data')['%s'] }}"
        arguments = ["--problem", problem.problem, "--run-key", of_loaded % "run_key"]
        arguments += ["--snapshot-id", of_loaded % "snapshot_id"]
        tuned = RayJobOperator(
            task_id="tune_hyperparameters",
            module="millrace.steps.tune",
            arguments=arguments,
            pool="ray",
        )
        fitted = RayJobOperator(
            task_id="train_final_model",
            module="millrace.steps.train_final_model",
            arguments=arguments,
            pool="ray",
        )
        saved = save_results(loaded)
        check_connection() >> is_training_due() >> loaded >> tuned >> fitted >> saved
        judge_candidate(saved)

    stage()


for each in valid_problems():
    train(each)
