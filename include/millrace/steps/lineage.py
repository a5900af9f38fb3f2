"""Where a gold snapshot came from, told by receipts, which stay when the snapshots they name have expired."""

import json
from collections import Counter
from typing import Any

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.batches import BronzeAt
from millrace.steps.recorded import BRONZE_SNAPSHOT, CHANGES_SNAPSHOT, REBUILT, RECEIPT


def silver_commits(
    problem: Problem, silver_snapshot: int, after: int | None, *, ref: str = lake.MAIN
) -> list[dict[str, str]]:
    """What the commits recorded that a snapshot of silver is made of, the newest first.

    Args:
        after: The snapshot that is taken in already; None: nothing.
        ref: The branch of silver whose history holds the snapshot.

    Returns:
        Properties of each commit, back to the one that replaced every row, which none before it outlives.
    """
    commits: list[dict[str, str]] = []
    for head in lake.history(names.silver(problem.source_name), ref):
        if head.snapshot_id == after:
            break
        # Silver may have moved on since it was read.
        if head.snapshot_id == silver_snapshot or commits:
            commits.append(head.properties)
            if REBUILT in head.properties:
                break
    return commits


def gold_receipt(silver_snapshot: int, commits: list[dict[str, str]]) -> dict[str, Any]:
    """The receipts of the silver commits that a gold commit takes in, added up.

    Returns:
        silver_snapshot, bronze_snapshot (the newest), files, the counts of `spark_jobs.receipt` but for files'; and of
        a source with changes changes_snapshot (the newest) and offsets, before which its topic's are taken in.
    """
    told = [json.loads(properties[RECEIPT]) for properties in commits if RECEIPT in properties]
    by_reason: Counter[str] = Counter()
    for receipt in told:
        by_reason.update(receipt["by_reason"])
    changes = next((int(p[CHANGES_SNAPSHOT]) for p in commits if CHANGES_SNAPSHOT in p), None)
    offsets = next((receipt["offsets"] for receipt in told if "offsets" in receipt), None)
    return {
        "silver_snapshot": silver_snapshot,
        "bronze_snapshot": next((int(p[BRONZE_SNAPSHOT]) for p in commits if BRONZE_SNAPSHOT in p), None),
        "files": sorted({path for receipt in told for path in receipt["files"]}),
        "by_reason": dict(sorted(by_reason.items())),
        **{name: sum(receipt[name] for receipt in told) for name in _COUNTS},
        **({} if changes is None else {"changes_snapshot": changes, "offsets": offsets}),
    }


def bronze_of_gold(problem: Problem, ref: str = lake.MAIN) -> BronzeAt:
    """The state of bronze that gold's rows came from."""
    found = lake.newest_with(names.gold(problem.problem), RECEIPT, ref)
    told = json.loads(found.properties[RECEIPT]) if found else {}
    return BronzeAt(told.get("bronze_snapshot"), told.get("changes_snapshot"))


_COUNTS = ("rows_read", "rows_valid", "rows_quarantined", "rows_superseded")
