"""The fence: a write goes to a branch of its attempt, and reaches main by `publish` or not at all (DESIGN §3)."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.refs import SnapshotRefType

from millrace.adapters.lake.reading import MAIN, ancestors, describe
from millrace.adapters.lake.tables import catalog, table_exists
from millrace.contract import names
from millrace.contract.errors import LostRaceError, MillraceError

BRANCH_PROPERTY = "millrace.branch"
"""Snapshot property: the branch a commit was written to, so that a repeated publish can tell that it had succeeded."""

_TRIES = 20
Changed = TypeVar("Changed")


@dataclass(frozen=True)
class Branch:
    """A branch of one attempt; `base` is the snapshot of main that it was cut from."""

    table: str
    name: str
    base: int


def cut_branch(table: str, attempt: str) -> Branch:
    """Cut the branch of an attempt from the current head of main.

    Raises:
        MillraceError: If the table has no snapshot yet.
    """
    name = names.attempt_branch(int(time.time()), attempt)

    def change(loaded: Table) -> Branch:
        base = loaded.current_snapshot()
        if base is None:
            raise MillraceError(
                "A branch cannot be cut from a table without a snapshot",
                place=f"table {table}",
                found="no snapshot",
                expected="a first, empty, snapshot",
                fix="create the table through lake.ensure_table, or append an empty frame to it",
            )
        loaded.manage_snapshots().create_branch(base.snapshot_id, name).commit()
        return Branch(table, name, base.snapshot_id)

    return _commit(table, change)


def append(branch: Branch, rows: pa.Table, properties: dict[str, str]) -> None:
    """Append rows to a branch in one commit, with properties in its summary.

    Raises:
        LostRaceError: If the branch is gone: an append would silently make a new one.
    """
    loaded = catalog().load_table(branch.table)
    if branch.name not in loaded.metadata.refs:
        raise lost(branch, f"branch {branch.name} is gone")
    stamped = {**properties, BRANCH_PROPERTY: branch.name}
    loaded.append(rows, snapshot_properties=stamped, branch=branch.name)


def append_nothing(branch: Branch, properties: dict[str, str]) -> None:
    """Commit properties to a branch, and no row.

    Raises:
        LostRaceError: If the branch is gone.
    """
    append(branch, catalog().load_table(branch.table).schema().as_arrow().empty_table(), properties)


def publish(branch: Branch) -> int:
    """Move main from the branch's base to the branch's head and drop the branch, in one commit of the catalog.

    A branch without a commit publishes nothing. A publication that had already happened succeeds again.

    Returns:
        The snapshot id that main now holds, or held.

    Raises:
        LostRaceError: If main moved since the branch was cut, or the branch does not continue its base.
    """

    def change(loaded: Table) -> int:
        history = [snapshot.snapshot_id for snapshot in ancestors(loaded, loaded.metadata.refs[MAIN].snapshot_id)]
        ref = loaded.metadata.refs.get(branch.name)
        if ref is None:
            return _published_before(loaded, branch, history)
        refs = loaded.manage_snapshots()
        if ref.snapshot_id in history:  # nothing was committed to the branch, or another engine published it
            refs.remove_branch(branch.name).commit()
        elif history[0] == branch.base and _continues(loaded, ref.snapshot_id, branch.base):
            # The commit requires that main is still where `loaded` has it, which is the base.
            refs.set_current_snapshot(ref.snapshot_id).remove_branch(branch.name).commit()
        else:
            refs.remove_branch(branch.name).commit()
            raise lost(branch, f"main at {history[0]}, the branch at {ref.snapshot_id}")
        return ref.snapshot_id

    return _commit(branch.table, change)


def drop_branch(branch: Branch) -> None:
    """Drop a branch of ours. Harmless when it is gone."""
    _drop(branch.table, branch.name)


def stray_branches(table: str, older_than_seconds: float) -> list[str]:
    """Branches of attempts that were cut longer ago than this, by the time in their name."""
    if not table_exists(table):
        return []
    refs = catalog().load_table(table).metadata.refs
    branches = [name for name, ref in refs.items() if ref.snapshot_ref_type == SnapshotRefType.BRANCH]
    limit = time.time() - older_than_seconds
    cut_at = {name: name.split("_")[1] for name in branches if name.startswith(names.attempt_branch(""))}
    return sorted(name for name, second in cut_at.items() if second.isdigit() and int(second) < limit)


def sweep_branches(tables: Iterable[str], older_than_seconds: float) -> list[str]:
    """Drop stray branches. The limit must exceed the longest task timeout, or a living attempt loses its work.

    Returns:
        What was dropped, as `table@branch`.
    """
    dropped = []
    for table in tables:
        for name in stray_branches(table, older_than_seconds):
            _drop(table, name)
            dropped.append(f"{table}@{name}")
    return dropped


def create_tag(table: str, tag: str, snapshot_id: int) -> None:
    """Tag a snapshot, which keeps it from expiring. Harmless when it carries the tag already.

    Raises:
        MillraceError: If the tag stands at another snapshot.
    """

    def change(loaded: Table) -> None:
        ref = loaded.metadata.refs.get(tag)
        if ref is None:
            loaded.manage_snapshots().create_tag(snapshot_id, tag).commit()
        elif ref.snapshot_id != snapshot_id:
            raise MillraceError(
                "The tag is taken",
                place=f"table {table}, tag {tag}",
                found=f"snapshot {ref.snapshot_id}",
                expected=f"snapshot {snapshot_id}",
                fix="choose another tag: a tag that moved would break the lineage of what it names",
            )

    _commit(table, change)


def _continues(loaded: Table, branch_head: int, base: int) -> bool:
    # A writer that appends to a branch dropped meanwhile silently starts a new one, elsewhere.
    return any(snapshot.parent_snapshot_id == base for snapshot in ancestors(loaded, branch_head))


def _published_before(loaded: Table, branch: Branch, history: list[int]) -> int:
    for snapshot in ancestors(loaded, history[0]):
        if describe(snapshot).properties.get(BRANCH_PROPERTY) == branch.name:
            return snapshot.snapshot_id
        if snapshot.snapshot_id == branch.base:
            break
    raise lost(branch, f"no branch {branch.name}, and main does not hold it")


def _drop(table: str, name: str) -> None:
    def change(loaded: Table) -> None:
        if name in loaded.metadata.refs:
            loaded.manage_snapshots().remove_branch(name).commit()

    _commit(table, change)


def _commit(table: str, change: Callable[[Table], Changed]) -> Changed:
    """Apply a change of refs to the newest metadata, again whenever another commit came between.

    CommitFailed is not a lost race: any commit to the table causes it, such as a tag. `change` looks and decides anew.
    """
    for _ in range(_TRIES):
        try:
            return change(catalog().load_table(table))
        except CommitFailedException as error:
            failed = error
    raise MillraceError(
        f"The catalog refused {_TRIES} commits in a row",
        place=f"table {table}",
        found=str(failed),
        expected="a moment without another commit to the table",
        fix="look for a writer that commits in a loop, then clear the task",
    ) from failed


def lost(branch: Branch, found: str) -> LostRaceError:
    """The error of an attempt that came second."""
    return LostRaceError(
        "Another attempt published first",
        place=f"table {branch.table}, branch {branch.name}",
        found=found,
        expected=f"main at {branch.base}, and a branch that continues it",
        fix="start over from the new head of main",
    )
