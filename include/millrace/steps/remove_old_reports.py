"""Step: remove check reports that nobody will open any more."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from millrace.adapters import object_store
from millrace.adapters.deletion import deletion_allowed
from millrace.contract.problem import Problem
from millrace.settings import get_settings


def remove_old_reports(problem: Problem, *, now: datetime | None = None) -> dict[str, Any]:
    """Remove the Data Docs of checks that are older than the contract keeps them; the newest of each stage stays.

    Returns:
        problem, reports (how many were removed), bytes.
    """
    bucket, prefix = get_settings().reports_bucket, f"data-docs/{problem.problem}/"
    before = (now or datetime.now(UTC)) - timedelta(days=problem.retention.reports_days)
    # data-docs/<problem>/<stage>/<run>/<file>
    files: defaultdict[str, defaultdict[str, list[object_store.StoredObject]]] = defaultdict(lambda: defaultdict(list))
    for found in object_store.list_objects(bucket, prefix):
        stage, _, rest = found.key.removeprefix(prefix).partition("/")
        files[stage][rest.partition("/")[0]].append(found)
    reports, size = 0, 0
    with deletion_allowed():
        for stage, runs in files.items():
            written = {run: max(one.last_modified for one in parts) for run, parts in runs.items()}
            newest = max(written, key=lambda run: (written[run], run))
            for run in sorted(run for run, at in written.items() if at < before and run != newest):
                object_store.delete_prefix(bucket, f"{prefix}{stage}/{run}/")
                reports, size = reports + 1, size + sum(one.size for one in runs[run])
    return {"problem": problem.problem, "reports": reports, "bytes": size}
