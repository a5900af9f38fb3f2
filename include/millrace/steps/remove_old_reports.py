"""Step: remove reports that nobody will open any more: of checks (Data Docs), and of runs."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from millrace.adapters import object_store
from millrace.adapters.deletion import deletion_allowed
from millrace.contract.problem import Problem
from millrace.settings import get_settings


def remove_old_reports(problem: Problem, *, now: datetime | None = None) -> dict[str, Any]:
    """Remove the reports that are older than the contract keeps them; the newest of each stage stays.

    Returns:
        problem, reports (how many were removed), bytes.
    """
    bucket = get_settings().reports_bucket
    before = (now or datetime.now(UTC)) - timedelta(days=problem.retention.reports_days)
    reports, size = 0, 0
    # data-docs/<problem>/<stage>/<run>/<file>, and runs/<problem>/<stage>/<run>.<html or json>
    for kind, end_of_run in (("data-docs", "/"), ("runs", ".")):
        prefix = f"{kind}/{problem.problem}/"
        for stage, runs in _by_stage_and_run(bucket, prefix, end_of_run).items():
            written = {run: max(one.last_modified for one in parts) for run, parts in runs.items()}
            newest = max(written, key=lambda run: (written[run], run))
            old = sorted(run for run, at in written.items() if at < before and run != newest)
            with deletion_allowed():
                for run in old:
                    object_store.delete_prefix(bucket, f"{prefix}{stage}/{run}{end_of_run}")
            reports, size = reports + len(old), size + sum(one.size for run in old for one in runs[run])
    return {"problem": problem.problem, "reports": reports, "bytes": size}


def _by_stage_and_run(
    bucket: str, prefix: str, end_of_run: str
) -> dict[str, dict[str, list[object_store.StoredObject]]]:
    found: defaultdict[str, dict[str, list[object_store.StoredObject]]] = defaultdict(dict)
    for one in object_store.list_objects(bucket, prefix):
        stage, _, rest = one.key.removeprefix(prefix).partition("/")
        found[stage].setdefault(rest.partition(end_of_run)[0], []).append(one)
    return found
