"""Airflow DAG of stage 5: gold at a tag becomes a judged candidate."""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, get_current_context, task

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.orchestration import assets
from millrace.orchestration.defaults import dag_settings
from millrace.orchestration.problems import valid_problems
from millrace.orchestration.ray_job import RayJobOperator
from millrace.orchestration.run_report import leave_report
from millrace.orchestration.tasks import check_connection, step

Facts = dict[str, object]
PARAMS = {"force": Param(False, type="boolean", description="Train even if nothing asks for it")}


def schedule(problem: Problem) -> object:
    """New gold, and the contract's cron expression if it has one."""
    gold = assets.gold(problem)
    if problem.schedules.train is None:
        return [gold]
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(problem.schedules.train, timezone="UTC"), assets=[gold])


def train(problem: Problem) -> None:
    @dag(**dag_settings(problem, "train"), schedule=schedule(problem), params=PARAMS)
    def stage() -> None:
        @task.short_circuit
        def is_training_due() -> bool:
            from millrace.steps.pending_models import pending_train

            context = get_current_context()
            scheduled = context["dag_run"].run_type == "scheduled"
            return bool(context["params"]["force"] or scheduled or pending_train(problem))

        @task
        def load_training_data() -> Facts:
            from millrace.steps.load_training_data import load_training_data

            return load_training_data(problem, run_key=names.run_key(get_current_context()["run_id"]))

        @task
        def save_results(loaded: Facts) -> int:
            from millrace.steps.save_results import save_results

            return int(save_results(problem, run_key=str(loaded["run_key"]))["version"])

        @step(outlets=[assets.candidate(problem)])
        def judge_candidate(version: int) -> Facts:
            from millrace.steps.judge_candidate import judge_candidate

            return judge_candidate(problem, version)

        def ray_job(task_id: str, module: str) -> RayJobOperator:
            of_loaded = "{{ ti.xcom_pull(task_ids='load_training_data')['%s'] }}"
            arguments = ["--problem", problem.problem, "--run-key", of_loaded % "run_key"]
            arguments += ["--snapshot-id", of_loaded % "snapshot_id"]
            return RayJobOperator(task_id=task_id, module=f"millrace.steps.{module}", arguments=arguments, pool="ray")

        connected = check_connection("object_store", "lake", "ray_jobs", "registry")
        tuned, fitted = ray_job("tune_hyperparameters", "tune"), ray_job("train_final_model", "train_final_model")
        loaded = load_training_data()
        saved = save_results(loaded)
        connected >> is_training_due() >> loaded >> tuned >> fitted >> saved
        judge_candidate(saved)
        leave_report(problem, "train")

    stage()


for each in valid_problems():
    train(each)
