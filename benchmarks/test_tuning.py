"""The search on Ray beside Optuna in one process: the same trials, the same folds, in pairs, inside one Ray job."""

import json
import time
import uuid
from pathlib import Path

import pytest

from millrace.adapters import ray_jobs

LIMIT = 1.5
PAIRS = 3
PATIENCE_SECONDS = 550


@pytest.mark.bench
@pytest.mark.stack
def test_search_against_optuna_alone() -> None:
    script = Path(__file__).with_name("search_pairs.py")
    base = ray_jobs.submission_base("bench", "search", uuid.uuid4().hex[:8])
    submission_id = ray_jobs.submit(base, ["python", str(script), str(PAIRS)])
    until = time.monotonic() + PATIENCE_SECONDS
    while ray_jobs.status(submission_id) in ("PENDING", "RUNNING") and time.monotonic() < until:
        time.sleep(1)
    log = ray_jobs.logs_tail(submission_id)
    print(f"\n{log}")
    if ray_jobs.status(submission_id) != "SUCCEEDED":
        ray_jobs.stop(submission_id)
        pytest.fail(f"the job is {ray_jobs.status(submission_id)}")
    assert json.loads(log.splitlines()[-1])["median_ratio"] <= LIMIT
