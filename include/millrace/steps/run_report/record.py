"""What a run did, kept beside its report: a report is made from it, again when there is more to tell."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import Field

from millrace.adapters import object_store
from millrace.contract import names
from millrace.contract.model import Model
from millrace.settings import get_settings


class Failure(Model):
    """What a task said when it failed; the parts of a `MillraceError`, as far as it was one."""

    problem: str
    is_verdict: bool = False
    """Whether a check, gate or smoke test said no, rather than something broke."""
    place: str = ""
    found: str = ""
    expected: str = ""
    fix: str = ""


class TaskRecord(Model):
    """One task of a run, when it had ended."""

    task_id: str
    state: str
    seconds: float | None = None
    """Wall time of its last try."""
    failure: Failure | None = None
    """What it said; None where it did not fail, or was killed before it could say it."""


class RunRecord(Model):
    """One run of a stage: who started it, what its tasks told, how long they took."""

    problem: str
    stage: str
    run_id: str
    started: datetime | None = None
    trigger: str
    """Who or what started it, in words."""
    tasks: tuple[TaskRecord, ...]
    """In the order of the work, without the one that writes the report."""
    results: dict[str, Any]
    """Task → what it returned."""
    measured: dict[str, Any] = Field(default_factory=dict)
    """What was measured for the report and may not be there to be measured again."""

    @property
    def run_key(self) -> str:
        return names.run_key(self.run_id)

    @property
    def failed(self) -> tuple[TaskRecord, ...]:
        """The tasks that failed, the first one first; not those that never began because of it."""
        return tuple(task for task in self.tasks if task.state == "failed")

    @property
    def is_refused(self) -> bool:
        """Whether it ended by a verdict."""
        return bool(self.failed and self.failed[0].failure and self.failed[0].failure.is_verdict)

    @property
    def url(self) -> str:
        """Where Airflow shows the run."""
        dag_id = names.dag_id(self.problem, self.stage)
        return f"{get_settings().url('airflow')}/dags/{dag_id}/runs/{quote(self.run_id)}"

    def result(self, task_id: str) -> dict[str, Any]:
        """What a task returned, if that is a dict; otherwise nothing."""
        told = self.results.get(task_id)
        return told if isinstance(told, dict) else {}


def save(record: RunRecord) -> None:
    """Keep a record. The same run has one."""
    text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False)
    object_store.put(get_settings().reports_bucket, _key(record), text.encode(), "application/json")


def saved(problem: str, stage: str, run_key: str) -> RunRecord | None:
    """The record of a run; None if it left none."""
    bucket, key = get_settings().reports_bucket, names.run_report(problem, stage, run_key, "json")
    if object_store.head(bucket, key) is None:
        return None
    return RunRecord.model_validate_json(object_store.get(bucket, key))


def report_url(problem: str, stage: str, run_key: str) -> str:
    """Where a browser opens the report of a run."""
    settings = get_settings()
    return f"{settings.s3_url}/{settings.reports_bucket}/{names.run_report(problem, stage, run_key)}"


def _key(record: RunRecord) -> str:
    return names.run_report(record.problem, record.stage, record.run_key, "json")
