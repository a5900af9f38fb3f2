"""Airflow's REST API: what the demo and the journey look at and start. Orchestration itself never calls it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from millrace.contract.errors import MillraceError
from millrace.settings import get_settings

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class TaskState:
    """One task of a run. `state` is None before the scheduler has looked at it."""

    task_id: str
    state: str | None
    try_number: int
    start: datetime | None
    end: datetime | None
    pid: int | None
    """The process that runs the task, or ran it."""


@dataclass(frozen=True)
class Run:
    """One run of a DAG."""

    dag_id: str
    run_id: str
    state: str
    created: datetime
    start: datetime | None
    end: datetime | None

    @property
    def seconds(self) -> float:
        """Wall time of a finished run, seconds."""
        return (self.end - self.start).total_seconds() if self.start and self.end else 0.0


class AirflowApi:
    """A session with the API server, as the admin of this stack."""

    def __init__(self) -> None:
        settings = get_settings()
        self.url = settings.url("airflow")
        self._client = httpx.Client(base_url=self.url, timeout=TIMEOUT_SECONDS)
        login = {
            "username": settings.airflow_admin_user,
            "password": settings.airflow_admin_password.get_secret_value(),
        }
        token = self._json("POST", "/auth/token", json=login)["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def knows(self, dag_id: str) -> bool:
        """Whether Airflow has read the file of this DAG."""
        return self._send("GET", f"/api/v2/dags/{dag_id}").status_code == httpx.codes.OK

    def run(self, dag_id: str, run_id: str) -> Run:
        """One run, as it is now."""
        return _run(self._json("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"))

    def runs_since(self, dag_id: str, since: datetime) -> list[Run]:
        """Runs of a DAG that were created at or after a time, the oldest first; none if the DAG is not known yet."""
        query = {"order_by": "run_after", "run_after_gte": since.isoformat(), "limit": "50"}
        response = self._send("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=query)
        if response.status_code == httpx.codes.NOT_FOUND:
            return []
        return [_run(one) for one in _checked(response)["dag_runs"]]

    def unfinished(self, dag_id: str) -> list[Run]:
        """The runs of a DAG that are queued or at work."""
        query = {"state": ["queued", "running"], "limit": "100"}
        found = self._json("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=query)["dag_runs"]
        return [_run(one) for one in found]

    def end(self, run: Run) -> None:
        """Give a run up: its tasks are ended, and it counts as failed."""
        self._json("PATCH", f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}", json={"state": "failed"})

    def clear(self, run: Run) -> None:
        """Let every task of a finished run run once more, those that succeeded too."""
        body = {"dag_run_id": run.run_id, "dry_run": False, "only_failed": False, "reset_dag_runs": True}
        self._json("POST", f"/api/v2/dags/{run.dag_id}/clearTaskInstances", json=body)

    def forget(self, dag_id: str) -> None:
        """Delete what Airflow knows of a DAG and its runs. Harmless when it knows nothing.

        Raises:
            MillraceError: If a task of it is at work.
        """
        response = self._send("DELETE", f"/api/v2/dags/{dag_id}")
        if response.status_code != httpx.codes.NOT_FOUND:
            _accepted(response)

    def under_way(self) -> dict[str, Run]:
        """The run of each DAG that is at work now, by the id of the DAG."""
        found = self._json("GET", "/api/v2/dags/~/dagRuns", params={"state": "running", "limit": "100"})["dag_runs"]
        return {one["dag_id"]: _run(one) for one in found}

    def tasks(self, run: Run) -> list[TaskState]:
        """The tasks of a run, in the order in which they started."""
        content = self._json("GET", f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances")
        tasks = [
            TaskState(
                one["task_id"],
                one["state"],
                one["try_number"],
                _time(one["start_date"]),
                _time(one["end_date"]),
                one["pid"],
            )
            for one in content["task_instances"]
        ]
        return sorted(tasks, key=lambda task: (task.start is None, task.start))

    def trigger(self, dag_id: str, params: dict[str, Any]) -> str:
        """Start a run by hand; returns its id."""
        body = {"logical_date": None, "conf": params}
        return str(self._json("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def pause(self, dag_id: str, *, paused: bool = True) -> None:
        """Let no run of a DAG start, or let runs start again."""
        self._json("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": paused})

    def last_error(self, run: Run, task: TaskState) -> str:
        """The last lines that a failed task logged as errors."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task.task_id}/logs/{task.try_number}"
        lines = self._json("GET", path, headers={"Accept": "application/json"})["content"]
        errors = [_error_in(line) for line in lines if line.get("level") == "error"]
        return "\n".join(errors[-2:]) or "the task's log holds no error line"

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return _checked(self._send(method, path, **options))

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise MillraceError(
                "Airflow's API does not answer",
                place=f"{method} {self.url}{path}",
                found=str(error) or type(error).__name__,
                expected="a running API server",
                fix="`make status` shows the services, `make up` starts what is missing",
            ) from error


def _checked(response: httpx.Response) -> Any:
    return _accepted(response).json()


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        raise MillraceError(
            "Airflow's API refused a request",
            place=f"{response.request.method} {response.request.url.path}",
            found=f"HTTP {response.status_code}: {response.text[:300]}",
            expected="HTTP 2xx",
            fix="log in with the password of .env (`make open`), or look at the API server's log (`make logs`)",
        )
    return response


def _error_in(line: dict[str, Any]) -> str:
    causes = [f"{cause['exc_type']}: {cause['exc_value']}" for cause in line.get("error_detail") or []]
    return "\n".join(causes) or str(line["event"])


def _run(one: dict[str, Any]) -> Run:
    created = _time(one["run_after"])
    assert created is not None  # the API always gives it
    return Run(
        one["dag_id"], one["dag_run_id"], one["state"], created, _time(one["start_date"]), _time(one["end_date"])
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
