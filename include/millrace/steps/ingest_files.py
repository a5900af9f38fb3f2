"""Landed files → bronze: rows as strings and a marker for each file, in one commit on the attempt's branch."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
from tempfile import TemporaryFile
from typing import Any, Literal

import pyarrow as pa

from millrace.adapters import lake, object_store
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.domain.assigned_keys import key_assigner
from millrace.domain.csv_rows import open_csv
from millrace.domain.parquet_rows import open_parquet
from millrace.domain.raw_rows import RawFile, UnusableFileError
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
from millrace.steps.gathered_rows import GatheredRows
from millrace.steps.landed_files import compare_with_bronze, landed

__all__ = ["check_raw_data", "ingest_raw_data"]

log = logging.getLogger(__name__)

BATCH_ROWS = 20_000
"""Rows held in memory at once. A longer file has a Parquet file of its own, with a row group a batch."""
RUN_FILES = 1_000
"""A run takes at most so many files; the next one takes those that are left."""
RUN_BYTES = 4 << 30
"""After so many bytes a run takes no other file. A run that takes longer than its task may would never get anywhere."""


@dataclass(frozen=True)
class Ingested:
    """What became of one file. Its rows are in `data`, or among those gathered of small files."""

    file: LandedFile
    rows: int
    detail: str | None = None
    data: lake.DataFile | None = None

    @property
    def status(self) -> Literal["ingested", "set_aside"]:
        return "set_aside" if self.detail else "ingested"


def ingest_raw_data(problem: Problem, *, attempt: str, run_id: str, keys: list[str] | None = None) -> dict[str, Any]:
    """Append new files to a branch of bronze; `check_raw_data` publishes it.

    A file that cannot be used is set aside: its marker says why, and none of its rows is taken. A file that changes
    while it is read is left for the next run, and so is what is beyond `RUN_FILES` and `RUN_BYTES`.

    Args:
        keys: Take only these objects of the landing bucket.

    Returns:
        table, branch and base (both None if no file is new), rows, files, set_aside (path and detail), left (files for
        the next run), ingested_at.

    Raises:
        MillraceError: If one of `keys` is not under the landing prefix.
    """
    table = names.bronze_files(problem.source_name)
    lake.ensure_table(table, SCHEMA, PARTITION)
    branch = lake.cut_branch(table, attempt)
    origin = Origin(datetime.now(UTC), run_id)
    with ExitStack() as undo:
        undo.callback(lake.drop_branch, branch)
        chosen = _chosen(problem, keys, branch.base)
        gathered = GatheredRows(table, BATCH_ROWS, undo)
        done = list(_ingest_all(problem, _within_a_run(chosen), origin, gathered, undo))
        if done:
            _append(branch, done, gathered.close(), origin, undo)
            undo.pop_all()
    left = len(chosen) - len(done)
    if left:
        log.info("%s files are left for the next run", f"{left:,}")
    return {
        "table": table,
        "branch": branch.name if done else None,
        "base": branch.base if done else None,
        "rows": sum(ingested.rows for ingested in done),
        "files": len(done),
        "set_aside": [{"path": ingested.file.path, "detail": ingested.detail} for ingested in done if ingested.detail],
        "left": left,
        "ingested_at": origin.ingested_at.isoformat(),
    }


def _chosen(problem: Problem, keys: list[str] | None, base: int) -> list[LandedFile]:
    landing = compare_with_bronze(problem, snapshot_id=base)
    if landing.removed:
        gone = len(landing.removed)
        log.info("%s files are no longer there, such as %s; their rows stay", f"{gone:,}", landing.removed[-1])
    if not keys:
        return landing.new
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
    return [file for file in landing.new if file.path in keys]


def _within_a_run(files: list[LandedFile]) -> list[LandedFile]:
    """The first files, within the bounds of a run; at least one if there is one."""
    taken: list[LandedFile] = []
    size = 0
    for file in files[:RUN_FILES]:
        size += file.size
        if taken and size > RUN_BYTES:
            break
        taken.append(file)
    return taken


def _ingest_all(
    problem: Problem, files: list[LandedFile], origin: Origin, gathered: GatheredRows, undo: ExitStack
) -> Iterator[Ingested]:
    for file in files:
        rows: pa.Table | lake.DataFile | None = None
        detail = None
        try:
            rows = _read_rows(problem, file, origin, undo)
        except UnusableFileError as error:
            detail = str(error)
        except object_store.ObjectChangedError:
            log.warning("%s changed before it was read; the next run takes it", file.path)
            continue
        now = object_store.head(get_settings().landing_bucket, file.path)
        if now is None or now.etag != file.etag:
            # Its rows stay out of the commit.
            log.warning("%s changed while it was read; the next run takes it", file.path)
            if isinstance(rows, lake.DataFile):
                rows.discard()
            continue
        if detail:
            log.warning("%s is set aside: %s", file.path, detail)
            yield Ingested(file, 0, detail)
            continue
        if isinstance(rows, lake.DataFile):
            ingested = Ingested(file, rows.rows, data=rows)
        else:
            ingested = Ingested(file, rows.num_rows if rows else 0)
            if rows:
                gathered.add(rows)
        log.info("%s: %s rows", file.path, f"{ingested.rows:,}")
        yield ingested


def _read_rows(problem: Problem, file: LandedFile, origin: Origin, undo: ExitStack) -> pa.Table | lake.DataFile | None:
    """The rows of one file: as a table if one batch holds them, else in a data file, which `undo` deletes.

    None if there is no row.
    """
    with _opened(problem, file) as opened, ExitStack() as mine:
        assign_keys = key_assigner(opened.header, problem.source)
        data: lake.DataFile | None = None
        while rows := list(islice(opened.rows, BATCH_ROWS)):
            batch = rows_to_arrow(file, opened.header, rows, assign_keys, origin)
            if data is None and len(rows) < BATCH_ROWS:
                return batch
            if data is None:
                data = lake.DataFile(names.bronze_files(problem.source_name), ARROW)
                mine.callback(data.discard)
            data.write(batch)
            if len(rows) == BATCH_ROWS:
                log.info("%s: %s rows so far", file.path, f"{data.rows:,}")
        if data:
            data.close()
            mine.pop_all()
            undo.callback(data.discard)
    return data


@contextmanager
def _opened(problem: Problem, file: LandedFile) -> Iterator[RawFile]:
    chunks = object_store.stream(get_settings().landing_bucket, file.path, file.etag)
    if problem.source.format == "csv":
        yield open_csv(unpacked(chunks), problem.source)
        return
    # What a Parquet file holds stands at its end, so that it cannot be read as it comes.
    with TemporaryFile() as spool:
        for chunk in chunks:
            spool.write(chunk)
        yield open_parquet(spool, problem.source)


def _append(
    branch: lake.Branch, done: list[Ingested], gathered: lake.DataFile | None, origin: Origin, undo: ExitStack
) -> None:
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
    data = [*(ingested.data for ingested in done), gathered, markers]
    properties = {RUN_ID: origin.run_id, FILES: str(len(done)), ROWS: str(sum(ingested.rows for ingested in done))}
    lake.add_files(branch, [each for each in data if each], properties)
