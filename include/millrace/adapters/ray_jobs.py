"""Ray jobs: our modules on a cluster, through its job API. A job that is there is taken up again, never doubled."""

import re
import shlex
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from ray.dashboard.modules.job.sdk import JobSubmissionClient

import millrace
from millrace.contract.errors import MillraceError
from millrace.settings import get_settings

Status = Literal["PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED", "LOST"]
TAKEN_UP = ("PENDING", "RUNNING", "SUCCEEDED")

# What Ray's own libraries read; names of switches, never a secret: the dashboard shows a job's environment.
ENVIRONMENT = {
    # Loggers would write CSV, JSON and TensorBoard files that nobody reads.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_RESULT_DELIM": "/",
    "PYTHONUNBUFFERED": "1",
}


def submission_base(*parts: str) -> str:
    """The stem of the submission ids of one task of one run; the same parts give the same stem."""
    return "-".join(re.sub(r"[^A-Za-z0-9_]+", "_", part).strip("_") for part in parts)


def submit(base: str, entrypoint: Sequence[str], *, cpus: float = 0) -> str:
    """Take up the newest job `<base>-<n>` if it runs, waits or succeeded, otherwise start the next one.

    Args:
        entrypoint: The command, word by word.
        cpus: CPUs kept for the command itself; what it starts on the cluster asks for its own.

    Returns:
        The submission id.

    Raises:
        ConnectionError: If the cluster does not answer.
    """
    attempts = _attempts(base)
    newest = max(attempts, default=0)
    if newest and attempts[newest] in TAKEN_UP:
        return f"{base}-{newest}"
    submission_id = f"{base}-{newest + 1}"
    try:
        _client().submit_job(
            entrypoint=shlex.join(_with_our_python(entrypoint)),
            submission_id=submission_id,
            entrypoint_num_cpus=cpus or None,
            # Our package alone, never the working directory: the env file lives there.
            runtime_env={"py_modules": [str(Path(millrace.__file__).parent)], "env_vars": ENVIRONMENT},
        )
    except RuntimeError as error:
        # Another attempt of the same task was quicker: it is the same job.
        if _attempts(base).get(newest + 1) is None:
            raise _refused(submission_id, error) from error
    return submission_id


def status(submission_id: str) -> Status:
    """How a job stands; LOST if the cluster does not know it, because its head was replaced.

    Raises:
        ConnectionError: If the cluster does not answer.
    """
    found = _known(submission_id.rpartition("-")[0]).get(submission_id)
    return "LOST" if found is None else found


def logs_tail(submission_id: str, lines: int = 40) -> str:
    """The last lines a job printed."""
    try:
        printed = str(_client().get_job_logs(submission_id))
    except (OSError, RuntimeError) as error:
        return f"(no log: {str(error).splitlines()[0]})"
    return "\n".join(printed.splitlines()[-lines:])


def stop(submission_id: str) -> None:
    """Ask a job to stop; harmless when it has ended."""
    _client().stop_job(submission_id)


def ping() -> None:
    """Ask for the version.

    Raises:
        ConnectionError: If the cluster does not answer, or refuses our token.
    """
    _client().get_version()


def _with_our_python(entrypoint: Sequence[str]) -> list[str]:
    # The head of the native stack shares our environment but not our PATH; on a cluster, `python` is that of its image.
    native = entrypoint[0] == "python" and not get_settings().ray_address
    return [sys.executable if native else entrypoint[0], *entrypoint[1:]]


def _attempts(base: str) -> dict[int, Status]:
    numbered = {name.removeprefix(f"{base}-"): found for name, found in _known(base).items()}
    return {int(number): found for number, found in numbered.items() if number.isdigit()}


def _known(base: str) -> dict[str, Status]:
    try:
        jobs = _client().list_jobs()
    except (OSError, RuntimeError) as error:
        # Ray lets the errors of its HTTP library through, and a head that is just starting answers HTTP 500.
        raise ConnectionError(f"{get_settings().ray_url} does not answer: {error}") from error
    ours = [job for job in jobs if job.submission_id is not None and job.submission_id.startswith(f"{base}-")]
    return {str(job.submission_id): job.status.value for job in ours}


@cache
def _client() -> JobSubmissionClient:
    settings = get_settings()
    token = settings.ray_auth_token.get_secret_value()
    return JobSubmissionClient(settings.ray_url, headers={"Authorization": f"Bearer {token}"} if token else None)


def _refused(submission_id: str, error: Exception) -> MillraceError:
    return MillraceError(
        "The Ray cluster refused a job",
        place=f"{get_settings().ray_url}, submission {submission_id}",
        found=str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__,
        expected="a job that starts",
        fix="the cluster's dashboard shows its jobs; `make status` shows whether the head runs",
    )
