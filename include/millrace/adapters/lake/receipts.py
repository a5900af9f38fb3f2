"""The receipts that commits of gold carry: which files and offsets of bronze their rows came from."""

import json
from dataclasses import dataclass
from typing import Any

from millrace.adapters.lake.reading import history
from millrace.domain.batches import FILES_TOLD

RECEIPT = "millrace.receipt"
"""The property of a commit: JSON, as `steps.lineage.gold_receipt` makes it."""
GOLD_SEQ = "millrace.gold-seq"
"""The property beside it: 1 for the first commit of rows to gold, and one more with each."""


@dataclass(frozen=True)
class Origin:
    """What a state of gold was made from. `is_whole`: every file is told. Else a snapshot with its
    receipt has expired, or a receipt tells as many files as it may, and there may have been more."""

    snapshot_id: int
    files: tuple[str, ...]
    offsets: dict[str, Any] | None
    """Of each topic, before which its messages are taken in; None without topics."""
    is_whole: bool


def origin(table: str, ref: str) -> Origin | None:
    """All receipts behind a branch or tag of gold, added up; None if there is no such table or ref."""
    commits = list(history(table, ref))
    if not commits:
        return None
    with_receipt = [one.properties for one in commits if RECEIPT in one.properties]
    told = [json.loads(properties[RECEIPT]) for properties in with_receipt]
    # Not by the oldest snapshot's parent: who lets it expire may take away its name, too.
    numbers = {int(properties.get(GOLD_SEQ, 0)) for properties in with_receipt}
    all_there = numbers == set(range(1, max(numbers, default=0) + 1))
    return Origin(
        snapshot_id=commits[0].snapshot_id,
        files=tuple(sorted({path for receipt in told for path in receipt["files"]})),
        offsets=next((receipt["offsets"] for receipt in told if receipt.get("offsets")), None),
        is_whole=all_there and all(len(receipt["files"]) < FILES_TOLD for receipt in told),
    )
