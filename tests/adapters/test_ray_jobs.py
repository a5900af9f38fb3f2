"""Ray jobs: taken up again, never doubled; a new one only after a failed one. Our package is what they run."""

import uuid

import pytest

from millrace.adapters import ray_jobs
from tests.awaiting import await_that

pytestmark = pytest.mark.stack
PATIENCE_SECONDS = 300


def fresh_base() -> str:
    return ray_jobs.submission_base("test", "ray jobs", uuid.uuid4().hex[:8])


def ended(submission_id: str) -> str:
    def look() -> str | None:
        status = ray_jobs.status(submission_id)
        return None if status in ("PENDING", "RUNNING") else status

    return str(await_that(f"{submission_id} has ended", look, seconds=PATIENCE_SECONDS))


def test_a_base_is_the_same_for_the_same_parts() -> None:
    parts = ("loan__train", "manual__2026-01-01T00:00:00+00:00", "tune")
    assert ray_jobs.submission_base(*parts) == ray_jobs.submission_base(*parts)
    assert ray_jobs.submission_base(*parts) == "loan__train-manual__2026_01_01T00_00_00_00_00-tune"


def test_a_job_that_succeeded_is_taken_up_again_and_a_failed_one_is_not() -> None:
    base = fresh_base()
    fails = ["python", "-c", "raise SystemExit(3)"]
    first = ray_jobs.submit(base, fails)
    assert ended(first) == "FAILED"
    second = ray_jobs.submit(base, ["python", "-c", "import millrace; print('ran from', millrace.__file__)"])
    assert (first, second) == (f"{base}-1", f"{base}-2")
    assert ended(second) == "SUCCEEDED"
    assert ray_jobs.submit(base, fails) == second
    # Not the installed package: the one that the job brought along, as on any cluster.
    assert "py_modules_files" in ray_jobs.logs_tail(second)


def test_a_running_job_is_taken_up_and_can_be_stopped() -> None:
    base = fresh_base()
    waits = ["python", "-c", "import sys; sys.stdin.read(); import threading; threading.Event().wait()"]
    first = ray_jobs.submit(base, waits)
    assert ray_jobs.submit(base, waits) == first
    ray_jobs.stop(first)
    assert ended(first) in ("STOPPED", "FAILED")
    again = ray_jobs.submit(base, ["python", "-c", "print('once more')"])
    assert again == f"{base}-2"
    assert ended(again) == "SUCCEEDED"


def test_an_unknown_job_is_lost() -> None:
    assert ray_jobs.status(f"{fresh_base()}-1") == "LOST"
    assert "no log" in ray_jobs.logs_tail(f"{fresh_base()}-1")


def test_no_secret_goes_with_a_job() -> None:
    from ray.dashboard.modules.job.sdk import JobSubmissionClient

    from millrace.settings import get_settings

    settings = get_settings()
    base = fresh_base()
    submission_id = ray_jobs.submit(base, ["python", "-c", "print('nothing')"])
    token = settings.ray_auth_token.get_secret_value()
    client = JobSubmissionClient(settings.ray_url, headers={"Authorization": f"Bearer {token}"} if token else None)
    told = str(client.get_job_info(submission_id))
    assert ended(submission_id) == "SUCCEEDED"
    secrets = [getattr(settings, name).get_secret_value() for name in type(settings).model_fields if "pass" in name]
    secrets += [settings.s3_secret_key.get_secret_value(), token]
    assert not [secret for secret in secrets if secret and secret in told]
