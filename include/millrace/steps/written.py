"""What a step that writes to a branch tells the next one: table, branch, base, snapshot_id, changed, run_id."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from millrace.adapters import lake


def nothing_new(table: str, run_id: str) -> dict[str, Any]:
    """What a step returns that had nothing to write: no branch, and main as it is."""
    head = lake.head(table)
    snapshot_id = head.snapshot_id if head else None
    return {"table": table, "branch": None, "base": None, "snapshot_id": snapshot_id, "changed": 0, "run_id": run_id}


def written_to(branch: lake.Branch, run_id: str) -> dict[str, Any]:
    """What a step returns that wrote to its branch; `changed` counts the rows that its last commit wrote or removed."""
    head = lake.head(branch.table, branch.name)
    assert head is not None
    removed = int(head.properties.get("spark.merge-into.num-target-rows-deleted", 0))
    return {
        "table": branch.table,
        "branch": branch.name,
        "base": branch.base,
        "snapshot_id": head.snapshot_id,
        "changed": int(head.properties.get("added-records", 0)) + removed,
        "run_id": run_id,
    }


def already_published(written: dict[str, Any]) -> bool:
    """Whether main holds what an attempt wrote: an earlier try of this task got that far, or there was nothing new."""
    if written["branch"] is None:
        return True
    return any(head.snapshot_id == written["snapshot_id"] for head in lake.history(written["table"]))


def branch_of(written: dict[str, Any]) -> lake.Branch:
    return lake.Branch(written["table"], written["branch"], written["base"])


@contextmanager
def dropped_on_failure(branch: lake.Branch) -> Iterator[None]:
    """An attempt that fails takes its branch with it."""
    try:
        yield
    except Exception:
        lake.drop_branch(branch)
        raise
