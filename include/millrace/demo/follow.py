"""Following one problem through its stages in Airflow."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from millrace.adapters.airflow_api import AirflowApi, Run, TaskState
from millrace.contract import names
from millrace.contract.errors import MillraceError

AFTER_INGESTION = ("transform", "train", "deploy")
FROM_FILES = ("ingest_files", *AFTER_INGESTION)


@dataclass
class Journey:
    """Where one problem is on its way. `runs` holds the finished run of each stage; `note` says what happens now."""

    problem: str
    ingestion: str
    """Its first stage: ingest_files or ingest_changes."""
    since: datetime
    runs: dict[str, Run] = field(default_factory=dict)
    note: str = "waiting for the rows to be seen"
    forced: bool = False

    @property
    def stages(self) -> tuple[str, ...]:
        return (self.ingestion, *AFTER_INGESTION)

    @property
    def stage(self) -> str | None:
        """The stage under way, or None when all are done."""
        return next((stage for stage in self.stages if stage not in self.runs), None)

    @property
    def seconds(self) -> float:
        """Wall time from when the rows came until now, or until the last stage ended."""
        last = self.runs.get(self.stages[-1])
        return ((last.end if last and last.end else datetime.now(UTC)) - self.since).total_seconds()


def advance(journey: Journey, api: AirflowApi) -> None:
    """Look once, and move the journey as far as Airflow has come.

    Raises:
        MillraceError: If a run of the stage under way failed, with the failed task and its last error.
    """
    while (stage := journey.stage) is not None:
        place = journey.stages.index(stage)
        earlier = journey.runs.get(journey.stages[place - 1]) if place else None
        since = earlier.start if earlier and earlier.start else journey.since
        runs = api.runs_since(names.dag_id(journey.problem, stage), since)
        done = [run for run in runs if run.state == "success" and _did_its_work(run, stage, api)]
        if not done:
            _say_what_happens(journey, stage, runs, api)
            return
        journey.runs[stage] = done[0]
    journey.note = "served"


def _did_its_work(run: Run, stage: str, api: AirflowApi) -> bool:
    # A run that found nothing to do ends in success too, with its tasks skipped.
    last = {"ingest_files": "quality_check_raw_data", "ingest_changes": "ingest_changes"}
    last |= {"transform": "load_warehouse"}
    last |= {"train": "judge_candidate", "deploy": "smoke_test"}
    return any(task.task_id == last[stage] and task.state == "success" for task in api.tasks(run))


def _say_what_happens(journey: Journey, stage: str, runs: list[Run], api: AirflowApi) -> None:
    active = [run for run in runs if run.state in ("queued", "running")]
    failed = [run for run in runs if run.state == "failed"]
    if active:
        tasks = api.tasks(active[0])
        busy = [task for task in tasks if task.state in ("running", "deferred", "queued", "up_for_retry")]
        journey.note = f"{stage}: " + (_words(busy[-1]) if busy else "scheduling")
    elif failed:
        raise _failure(failed[-1], api)
    elif stage == "train" and runs and not journey.forced:
        # Nothing asked for a training (a model is there, few rows are new), but the demo is to show one.
        api.trigger(names.dag_id(journey.problem, stage), {"force": True})
        journey.forced = True
    else:
        journey.note = f"{stage}: waiting to start"


def _words(task: TaskState) -> str:
    tries = f", try {task.try_number}" if task.try_number > 1 else ""
    return f"{task.task_id} ({task.state}{tries})"


def _failure(run: Run, api: AirflowApi) -> MillraceError:
    tasks = [task for task in api.tasks(run) if task.state == "failed"]
    first = tasks[0] if tasks else None
    return MillraceError(
        f"{run.dag_id} failed" + (f" in {first.task_id}" if first else ""),
        place=f"{api.url}/dags/{run.dag_id}/runs/{run.run_id}",
        found=api.last_error(run, first) if first else f"run state {run.state}",
        expected="every task to succeed",
        fix="read the task's log at that address; docs/operations.md lists the usual causes",
    )
