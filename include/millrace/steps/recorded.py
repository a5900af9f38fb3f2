"""What commits record in their summaries, so that the next one knows where to go on."""

from dataclasses import dataclass

from millrace.adapters import lake
from millrace.adapters.lake import receipts
from millrace.adapters.lake.evolution import lacks_columns
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.domain.batches import BronzeAt
from millrace.domain.following import Following

BRONZE_SNAPSHOT = "millrace.bronze-snapshot"
CHANGES_SNAPSHOT = "millrace.bronze-changes-snapshot"
"""The same of the source's changes, where it has any."""
FOLLOWING = "millrace.following"
"""What the changes that silver took in tell of the source's table as a whole: `domain.following`."""
SILVER_SNAPSHOT = "millrace.silver-snapshot"
CHANGED_SEQ = "millrace.changed-seq"
GOLD_SEQ = receipts.GOLD_SEQ
CONTRACT_HASH = "millrace.contract-hash"
RECEIPT = receipts.RECEIPT
RUN_ID = "millrace.run-id"
"""The Airflow run that wrote a commit of gold."""
REJECTED_FILES = "millrace.rejected-files"
"""Digest of the rejected files that a commit to silver left out."""
REBUILT = "millrace.rebuilt"
"""On a commit that replaced every row: rows may have gone that no tombstone tells of."""

REPLAYED = "millrace.replayed"
"""On a commit of silver that a replay made: the snapshot of quarantine, and which of its rows it brought."""


@dataclass(frozen=True)
class Recorded:
    """The newest record in a ref's history. None and 0 where the table was never written to."""

    upstream: int | None
    """Snapshot of the layer before that this table has taken in."""
    changed_seq: int
    gold_seq: int
    contract_hash: str | None
    rejected_files: str = ""
    changes: int | None = None
    """Snapshot of bronze's changes that this table has taken in."""
    following: Following | None = None

    @property
    def bronze(self) -> BronzeAt:
        """The state of bronze that this table has taken in."""
        return BronzeAt(self.upstream, self.changes)

    def holds(self, bronze: BronzeAt, contract_hash: str) -> bool:
        """Whether there is nothing new in bronze, nor in the contract."""
        return self.bronze == bronze and self.contract_hash == contract_hash


def recorded(table: str, upstream: str, ref: str = lake.MAIN) -> Recorded:
    """Look up the newest record.

    Args:
        upstream: The property that tells the snapshot of the layer before.
    """
    return told_by(lake.newest_with(table, upstream, ref), upstream)


def of_silver(problem: Problem, ref: str = lake.MAIN) -> Recorded:
    """What silver records of bronze."""
    return recorded(names.silver(problem.source_name), BRONZE_SNAPSHOT, ref)


def of_gold(problem: Problem, ref: str = lake.MAIN) -> Recorded:
    """What gold records of silver."""
    return recorded(names.gold(problem.problem), SILVER_SNAPSHOT, ref)


def told_by(commit: lake.Head | None, upstream: str) -> Recorded:
    """What one commit records; None: there is none."""
    told = commit.properties if commit else {}
    return Recorded(
        upstream=int(told[upstream]) if upstream in told else None,
        changed_seq=int(told.get(CHANGED_SEQ, 0)),
        gold_seq=int(told.get(GOLD_SEQ, 0)),
        contract_hash=told.get(CONTRACT_HASH),
        rejected_files=told.get(REJECTED_FILES, ""),
        changes=int(told[CHANGES_SNAPSHOT]) if CHANGES_SNAPSHOT in told else None,
        following=Following.parse(told[FOLLOWING]) if FOLLOWING in told else None,
    )


def taken_in(bronze: BronzeAt, following: Following | None = None) -> dict[str, str]:
    """What a commit records of the state of bronze that its table has taken in."""
    told = {BRONZE_SNAPSHOT: str(bronze.files), CHANGES_SNAPSHOT: bronze.changes, FOLLOWING: following}
    return {key: str(value) for key, value in told.items() if value is not None}


def to_load(table: str, number: str) -> tuple[lake.Head, int]:
    """What the warehouse is loaded from: the head of main, and the newest of a number that commits record.

    Args:
        number: The property of the number, which rises with every change of a row.

    Raises:
        MillraceError: If nothing is published yet.
    """
    # In this order: a commit that comes between is loaded under too low a number, and so again, never missed.
    newest = lake.newest_with(table, number)
    head = lake.head(table)
    if head is None or newest is None:
        raise MillraceError(
            f"There is no {table.partition('.')[0]} to load",
            place=f"table {table}",
            found="no table" if head is None else f"no snapshot with {number}",
            expected="a published snapshot",
            fix="start the transform DAG of this problem; it loads the warehouse at its end",
        )
    return head, int(newest.properties[number])


def must_rebuild(branch: lake.Branch, seen: Recorded, contract_hash: str) -> bool:
    """Whether a branch's rows were written under another contract, or for other columns than the table now has."""
    return seen.contract_hash not in (None, contract_hash) or lacks_columns(branch.table, branch.name)


def is_empty(table: str, ref: str) -> bool:
    """Whether the head of a branch holds no row."""
    head = lake.head(table, ref)
    return head is None or head.properties.get("total-records", "0") == "0"
