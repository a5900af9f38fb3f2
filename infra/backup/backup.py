"""`make backup`: the databases first, then the objects, while nothing is deleted; the stack goes on working.

A catalog that names a file which is missing is broken, a file that no catalog names is not. What a table's metadata
names is never changed in place, so copying it after the catalog is enough, as long as nobody deletes it between.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg

from infra.backup import databases, objects
from infra.backup.manifest import DATABASES, Copied, Manifest, bucket_file, seal
from infra.progress import Board
from infra.services import minio
from millrace.contract.errors import MillraceError
from millrace.contract.names import LOCK_OF_DELETION
from millrace.settings import Settings


def back_up(settings: Settings, to: Path, board: Board) -> Manifest:
    """Write a backup to a new folder; it has its name only when it is whole.

    Raises:
        MillraceError: If the folder is there, or the stack is not up.
    """
    if to.exists():
        raise MillraceError(
            "There is something where the backup should go",
            place=str(to),
            found="a file or folder",
            expected="a name that is free",
            fix="`make backup TO=<another folder>`: a backup never replaces another",
        )
    half = to.with_name(f"{to.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True, mode=0o700)
    try:
        with _nothing_is_deleted(settings, board):
            manifest = _copy(settings, half, board)
        board.say("check", "writing the sums")
        seal(half, manifest)
        half.rename(to)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    board.done("check", "SHA256SUMS written")
    return manifest


def _copy(settings: Settings, folder: Path, board: Board) -> Manifest:
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    # Whatever the catalog names at the moment of the copy is as young as this, or younger.
    named = _metadata_files(settings)
    board.say("databases", "copying")
    version = databases.copy(settings, folder / DATABASES)
    board.done("databases", f"{(folder / DATABASES).stat().st_size / 1e6:,.0f} MB")
    s3, copied = minio.client(settings), dict[str, Copied]()
    for bucket in minio.buckets(settings):
        expected = named if bucket == settings.lake_bucket else set()
        board.say(bucket, "listing")
        copied[bucket] = objects.copy(
            s3, bucket, folder / bucket_file(bucket), expected=expected, say=partial(board.say, bucket)
        )
        board.done(bucket, f"{copied[bucket].objects:,} objects, {copied[bucket].bytes / 1e6:,.0f} MB")
    return Manifest(made_at=made_at, postgres_version=version, buckets=copied)


def _metadata_files(settings: Settings) -> set[str]:
    """The keys of the metadata files that the catalog names; none before the first table."""
    with psycopg.connect(settings.postgres_dsn("iceberg")) as catalog:
        there = catalog.execute("SELECT to_regclass('iceberg_tables')").fetchone()
        if there is None or there[0] is None:
            return set()
        found = catalog.execute("SELECT metadata_location FROM iceberg_tables").fetchall()
    return {str(place).removeprefix(f"s3://{settings.lake_bucket}/") for (place,) in found if place}


@contextmanager
def _nothing_is_deleted(settings: Settings, board: Board) -> Iterator[None]:
    """Maintenance waits while the block runs; a deletion that is under way ends first."""
    board.say("databases", "waiting until maintenance deletes nothing")
    try:
        connection = psycopg.connect(settings.postgres_dsn("warehouse"), autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        raise MillraceError(
            "There is no running stack to back up",
            place=f"database warehouse, {settings.postgres_host}:{settings.port('postgres')}",
            found=str(error).strip().splitlines()[-1],
            expected="a Postgres that answers",
            fix="`make up`, then `make backup`: the databases are copied by the server itself",
        ) from error
    with connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK_OF_DELETION])
        yield
