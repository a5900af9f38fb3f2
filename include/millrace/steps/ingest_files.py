"""Landed files → bronze: rows as strings and a marker for each file, in one commit on the attempt's branch."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

from millrace.adapters import lake, object_store
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.domain.csv_rows import open_csv
from millrace.domain.raw_rows import UnusableFileError, key_assigner
from millrace.domain.unpacking import unpacked
from millrace.settings import get_settings
from millrace.steps.bronze_table import (
    ARROW,
    FILES,
    PARTITION,
    ROWS,
    RUN_ID,
    SCHEMA,
    LandedFile,
    Origin,
    markers_to_arrow,
    rows_to_arrow,
)
from millrace.steps.check_bronze import check_raw_data

__all__ = ["LandedFile", "check_raw_data", "ingest_raw_data", "landed", "new_files"]

log = logging.getLogger(__name__)

BATCH_ROWS = 20_000
"""Rows held in memory at once; each batch is a row group of the file's Parquet file."""


@dataclass(frozen=True)
class Ingested:
    """What became of one file."""

    file: LandedFile
    status: Literal["ingested", "set_aside"]
    detail: str | None
    data: lake.DataFile | None

    @property
    def rows(self) -> int:
        return self.data.rows if self.data else 0


def new_files(problem: Problem, *, snapshot_id: int | None = None) -> list[LandedFile]:
    """Files under the landing prefix that bronze does not know, in the order they are ingested.

    The newest marker of a path decides: a file replaced by another and then put back is ingested a third time, since
    what it says is the latest word again.

    Args:
        snapshot_id: The snapshot of bronze to compare with; default: the head of main.
    """
    table = names.bronze_files(problem.source_name)
    if snapshot_id is None:
        head = lake.head(table)
        snapshot_id = head.snapshot_id if head else None
    known = _known(table, snapshot_id) if snapshot_id else _Known(frozenset(), {})
    found = [file for file in landed(problem) if not known.holds(file)]
    return sorted(found, key=lambda file: (file.last_modified, file.path))


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


@lru_cache(maxsize=64)
def _known(table: str, snapshot_id: int) -> _Known:
    # A snapshot never changes, and the trigger looks every few seconds.
    columns = ("path", "etag", "last_modified", "ingested_at")
    markers = lake.read(table, snapshot_id=snapshot_id, columns=columns, where="record == 'file'").to_pylist()
    markers.sort(key=lambda marker: (marker["last_modified"], marker["ingested_at"]))
    return _Known(
        frozenset((marker["path"], marker["etag"], marker["last_modified"]) for marker in markers),
        {marker["path"]: marker["etag"] for marker in markers},
    )


def ingest_raw_data(problem: Problem, *, attempt: str, run_id: str, keys: list[str] | None = None) -> dict[str, Any]:
    """Append new files to a branch of bronze; `check_raw_data` publishes it.

    A file that cannot be used is set aside: its marker says why, and none of its rows is taken. A file that changes
    while it is read is left for the next run.

    Args:
        keys: Take only these objects of the landing bucket.

    Returns:
        table, branch and base (both None if no file is new), rows, files, set_aside (path and detail), ingested_at.

    Raises:
        MillraceError: If one of `keys` is not under the landing prefix.
    """
    table = names.bronze_files(problem.source_name)
    lake.ensure_table(table, SCHEMA, PARTITION)
    branch = lake.cut_branch(table, attempt)
    origin = Origin(datetime.now(UTC), run_id)
    with ExitStack() as undo:
        undo.callback(lake.drop_branch, branch)
        done = list(_ingest_all(problem, _chosen(problem, keys, branch.base), origin, undo))
        if done:
            _append(branch, done, origin, undo)
            undo.pop_all()
    return {
        "table": table,
        "branch": branch.name if done else None,
        "base": branch.base if done else None,
        "rows": sum(ingested.rows for ingested in done),
        "files": len(done),
        "set_aside": [
            {"path": ingested.file.path, "detail": ingested.detail}
            for ingested in done
            if ingested.status == "set_aside"
        ],
        "ingested_at": origin.ingested_at.isoformat(),
    }


def landed(problem: Problem) -> Iterator[LandedFile]:
    """Every file under the landing prefix, known to bronze or not."""
    prefix = problem.landing_prefix
    for found in object_store.list_objects(get_settings().landing_bucket, prefix):
        parts = found.key.removeprefix(prefix).split("/")
        # Other writers mark what is not finished, or not data, by such names.
        if parts[-1] and not any(part.startswith((".", "_")) for part in parts):
            yield LandedFile(found.key, found.etag, found.size, found.last_modified)


def _chosen(problem: Problem, keys: list[str] | None, base: int) -> list[LandedFile]:
    found = new_files(problem, snapshot_id=base)
    if not keys:
        return found
    there = [file.path for file in landed(problem)]
    for key in keys:
        if key not in there:
            raise MillraceError(
                "There is no such file to ingest",
                place=f"bucket {get_settings().landing_bucket}, prefix {problem.landing_prefix}",
                found=f"no object {key}",
                expected=f"one of {len(there)} files, such as {get_close_matches(key, there, n=3) or there[:3]}",
                fix="give the whole key of a file under the prefix, or none to take every new file",
            )
    return [file for file in found if file.path in keys]


def _ingest_all(problem: Problem, files: list[LandedFile], origin: Origin, undo: ExitStack) -> Iterator[Ingested]:
    for file in files:
        try:
            data, detail = _write_rows(problem, file, origin, undo), None
        except UnusableFileError as error:
            data, detail = None, str(error)
        except object_store.ObjectChangedError:
            log.warning("%s changed before it was read; the next run takes it", file.path)
            continue
        now = object_store.head(get_settings().landing_bucket, file.path)
        if now is None or now.etag != file.etag:
            # Its data file stays out of the commit.
            log.warning("%s changed while it was read; the next run takes it", file.path)
            if data:
                data.discard()
            continue
        if detail:
            log.warning("%s is set aside: %s", file.path, detail)
        else:
            log.info("%s: %s rows", file.path, f"{data.rows if data else 0:,}")
        yield Ingested(file, "set_aside" if detail else "ingested", detail, data)


def _write_rows(problem: Problem, file: LandedFile, origin: Origin, undo: ExitStack) -> lake.DataFile | None:
    """The rows of one file in a data file, which `undo` deletes; None if there is no row."""
    chunks = object_store.stream(get_settings().landing_bucket, file.path, file.etag)
    opened = open_csv(unpacked(chunks), problem.source)
    assign_key = key_assigner(opened.header, problem.source)
    with ExitStack() as mine:
        data: lake.DataFile | None = None
        while rows := list(islice(opened.rows, BATCH_ROWS)):
            if data is None:
                data = lake.DataFile(names.bronze_files(problem.source_name), ARROW)
                mine.callback(data.discard)
            data.write(rows_to_arrow(file, opened.header, rows, assign_key, origin))
            if len(rows) == BATCH_ROWS:
                log.info("%s: %s rows so far", file.path, f"{data.rows:,}")
        if data:
            data.close()
        undo.push(mine.pop_all())
    return data


def _append(branch: lake.Branch, done: list[Ingested], origin: Origin, undo: ExitStack) -> None:
    markers = lake.DataFile(branch.table, ARROW)
    undo.callback(markers.discard)
    markers.write(
        markers_to_arrow(
            [ingested.file for ingested in done],
            [ingested.status for ingested in done],
            [ingested.detail for ingested in done],
            [ingested.rows for ingested in done],
            origin,
        )
    )
    markers.close()
    data = [ingested.data for ingested in done if ingested.data]
    properties = {RUN_ID: origin.run_id, FILES: str(len(done)), ROWS: str(sum(ingested.rows for ingested in done))}
    lake.add_files(branch, [*data, markers], properties)
