"""How long changes took: from their commit in the source database to the topic, to bronze, to silver and to gold."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps.bronze_table import RUN_ID
from millrace.steps.recorded import CHANGES_SNAPSHOT, RECEIPT

PLACES = ("topic", "bronze", "silver", "gold")


@dataclass(frozen=True)
class Latency:
    """Seconds from the commit of a change until it was in a place, by the clocks of both; of so many changes."""

    changes: int
    p50: float
    p99: float


def change_latency(problem: Problem, since: datetime) -> dict[str, Latency]:
    """Of the changes that were committed since a time, of those that have come so far; place → latency.

    A place is left out that none has reached. Rows that a snapshot read are left out: nobody knows when they were
    committed.
    """
    bronze = names.bronze_changes(problem.source_name)
    if lake.head(bronze) is None:
        return {}
    columns = ("committed_at", "sent_at", "run_id", "snapshot")
    rows = lake.read(bronze, columns=columns, where=f"committed_at >= '{since.astimezone(UTC).isoformat()}'")
    reached = _reached(problem)
    found: dict[str, list[float]] = {place: [] for place in PLACES}
    for row in rows.to_pylist():
        if row["snapshot"] not in (None, "false"):
            continue
        times = {"topic": row["sent_at"], **reached.get(row["run_id"], {})}
        for place, at in times.items():
            found[place].append((at - row["committed_at"]).total_seconds())
    return {place: _latency(seconds) for place, seconds in found.items() if seconds}


def _reached(problem: Problem) -> dict[str, dict[str, datetime]]:
    """Run of an ingestion → when what it brought was in each place."""
    source = problem.source_name
    tables = {
        "bronze": names.bronze_changes(source),
        "silver": names.silver(source),
        "gold": names.gold(problem.problem),
    }
    commits = [*lake.history(tables["bronze"])][::-1]
    order = {commit.snapshot_id: number for number, commit in enumerate(commits)}
    silver = [
        (order[int(commit.properties[CHANGES_SNAPSHOT])], commit)
        for commit in lake.history(tables["silver"])
        if int(commit.properties.get(CHANGES_SNAPSHOT, 0)) in order
    ]
    gold = [
        (order[taken_in], commit)
        for commit in lake.history(tables["gold"])
        if (taken_in := json.loads(commit.properties.get(RECEIPT, "{}")).get("changes_snapshot")) in order
    ]
    found: dict[str, dict[str, datetime]] = {}
    published = {place: lake.published_at(table) for place, table in tables.items()}
    for number, commit in enumerate(commits):
        if (run := commit.properties.get(RUN_ID)) is None:
            continue
        times = {"bronze": published["bronze"].get(commit.snapshot_id)}
        for place, later in (("silver", silver), ("gold", gold)):
            # The first that took in this commit, or a later one.
            shown = (published[place].get(one.snapshot_id) for taken_in, one in later if taken_in >= number)
            times[place] = min((at for at in shown if at is not None), default=None)
        # A run brings changes first, and what producers sent in a commit of its own.
        found.setdefault(run, {place: at for place, at in times.items() if at is not None})
    return found


def _latency(seconds: list[float]) -> Latency:
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99)]
    return Latency(len(ordered), *at)
