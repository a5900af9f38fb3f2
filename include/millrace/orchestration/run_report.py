"""The last task of a stage: it leaves one page about the run, whatever became of the run."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseOperatorLink

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.orchestration.failures import FAILURE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from millrace.steps.run_report.record import RunRecord


class RunReportLink(BaseOperatorLink):
    """The button "Run report" of the task."""

    name = "Run report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        from millrace.steps.run_report.record import report_url

        return report_url(operator.problem.problem, operator.stage, names.run_key(ti_key.run_id))


class RunReportOperator(BaseOperator):
    """Writes the report of the run that it is in, from what its tasks returned and how they ended."""

    operator_extra_links = (RunReportLink(),)

    def __init__(self, *, problem: Problem, stage: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.problem = problem
        self.stage = stage

    def execute(self, context: "Context") -> dict[str, Any]:
        from millrace.steps.run_report.writing import report_run

        told = report_run(self.problem, record_of(self.problem, self.stage, context))
        self.log.info("Run report: %s", told["report"])
        return told


def leave_report(problem: Problem, stage: str) -> None:
    """Add the task `run_report` behind all tasks that the stage has so far.

    It is a teardown: it runs however they ended, and Airflow does not count it when it says what became of the run. So
    a report cannot turn a failed run green, and one that cannot be written is red for itself and hides no verdict.
    """
    report = RunReportOperator(task_id="run_report", problem=problem, stage=stage)
    last = [task for task in report.dag.leaves if task is not report]
    last >> report.as_teardown()


def record_of(problem: Problem, stage: str, context: "Context") -> "RunRecord":
    """What Airflow knows of the run."""
    from millrace.steps.run_report.record import Failure, RunRecord, TaskRecord

    ti: Any = context["ti"]
    run = context["dag_run"]
    ended = {one["task_id"]: one for one in ti.get_task_breadcrumbs(run.dag_id, run.run_id)}
    tasks = [task for task in context["dag"].topological_sort() if task.task_id in ended and task.task_id != ti.task_id]
    noted = {task.task_id: ti.xcom_pull(task_ids=task.task_id, key=FAILURE) for task in tasks}
    results = {task.task_id: ti.xcom_pull(task_ids=task.task_id) for task in tasks}
    return RunRecord(
        problem=problem.problem,
        stage=stage,
        run_id=run.run_id,
        started=run.start_date,
        trigger=_trigger(run),
        tasks=tuple(
            TaskRecord(
                task_id=task.task_id,
                state=str(ended[task.task_id]["state"]),
                seconds=ended[task.task_id]["duration"],
                failure=noted[task.task_id] and Failure.model_validate(noted[task.task_id]),
            )
            for task in tasks
        ),
        results={name: told for name, told in results.items() if told is not None},
    )


def _trigger(run: Any) -> str:
    kind = str(getattr(run.run_type, "value", run.run_type))
    if run.run_id.startswith("reconcile__"):
        return f"by reconcile{f': {run.note}' if run.note else ''}"
    if kind == "manual":
        params = ", ".join(f"{name} {value}" for name, value in (run.conf or {}).items())
        who = f" by {run.triggering_user_name}" if run.triggering_user_name else ""
        return f"by hand{who}{f', with {params}' if params else ''}"
    if kind.startswith("asset"):
        return "by new data" if not run.consumed_asset_events else f"by {_assets(run.consumed_asset_events)}"
    return "on schedule" if kind == "scheduled" else f"by {kind}"


def _assets(events: Any) -> str:
    told = sorted({str(event.asset.name) for event in events})
    return ", ".join(told)
