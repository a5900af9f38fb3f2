"""What is under a landing prefix, beside what bronze's markers say of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from millrace.adapters import lake, object_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.bronze_table import LandedFile


def landed(problem: Problem) -> Iterator[LandedFile]:
    """Every file under the landing prefix, known to bronze or not."""
    prefix = problem.landing_prefix
    for found in object_store.list_objects(get_settings().landing_bucket, prefix):
        parts = found.key.removeprefix(prefix).split("/")
        # Other writers mark what is not finished, or not data, by such names.
        if parts[-1] and not any(part.startswith((".", "_")) for part in parts):
            yield LandedFile(found.key, found.etag, found.size, found.last_modified)


@dataclass(frozen=True)
class Difference:
    """The landing prefix beside bronze."""

    new: list[LandedFile]
    """What bronze does not know, in the order it is ingested."""
    removed: list[str]
    """Paths that bronze knows and that are no longer there. What was ingested of them stays."""


def compare_with_bronze(problem: Problem, *, snapshot_id: int | None = None) -> Difference:
    """Compare a listing of the landing prefix with what bronze knows.

    The newest marker of a path decides: a file replaced by another and then put back is ingested a third time, since
    what it says is the latest word again.

    Args:
        snapshot_id: The snapshot of bronze to compare with; default: the head of main.
    """
    known, there = _known_to_bronze(problem, snapshot_id), list(landed(problem))
    new = [file for file in there if not known.holds(file)]
    new.sort(key=lambda file: (file.last_modified, file.path))
    return Difference(new, sorted(set(known.newest) - {file.path for file in there}))


def new_files(problem: Problem) -> list[LandedFile]:
    """Files under the landing prefix that bronze does not know, in the order they are ingested."""
    return compare_with_bronze(problem).new


@dataclass(frozen=True)
class _Known:
    """What the markers of a snapshot of bronze say."""

    landings: frozenset[tuple[str, str, datetime]]
    newest: Mapping[str, str]
    """Path → ETag of the landing that was modified last."""

    def holds(self, file: LandedFile) -> bool:
        # The newest ETag again: written once more and nothing new. A landing that has a marker is never taken twice,
        # though it be older than the newest: a store with versions shows it again when the newer one is deleted.
        return self.newest.get(file.path) == file.etag or (file.path, file.etag, file.last_modified) in self.landings


def _known_to_bronze(problem: Problem, snapshot_id: int | None) -> _Known:
    table = names.bronze_files(problem.source_name)
    if snapshot_id is None:
        head = lake.head(table)
        snapshot_id = head.snapshot_id if head else None
    return _known(table, snapshot_id) if snapshot_id else _Known(frozenset(), {})


@lru_cache(maxsize=16)
def _known(table: str, snapshot_id: int) -> _Known:
    # A snapshot never changes, and the trigger looks every few seconds.
    columns = ("path", "etag", "last_modified", "ingested_at")
    markers = lake.read(table, snapshot_id=snapshot_id, columns=columns, where="record == 'file'").to_pylist()
    markers.sort(key=lambda marker: (marker["last_modified"], marker["ingested_at"]))
    return _Known(
        frozenset((marker["path"], marker["etag"], marker["last_modified"]) for marker in markers),
        {marker["path"]: marker["etag"] for marker in markers},
    )
