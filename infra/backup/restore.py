"""`make restore`: an empty stack becomes the one that was backed up."""

from functools import partial
from pathlib import Path

from infra.backup import databases, objects
from infra.backup.manifest import DATABASES, Manifest, bucket_file, verify
from infra.progress import Board
from infra.services import minio, of_profile, postgres
from infra.stack.clean import remove
from infra.stack.down import bring_down
from infra.stack.up import bring_up
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

STORES = ("postgres", "minio")


def restore(settings: Settings, source: Path, board: Board, *, force: bool) -> Manifest:
    """Put databases and objects back. Afterwards Postgres and the object store are up, and nothing else is.

    Args:
        force: Remove the data that is there, once the backup is known to be whole.

    Raises:
        MillraceError: If the backup is damaged or of another kind of stack, or this one holds data.
    """
    board.say("check", "comparing the sums")
    manifest = verify(source, settings)
    board.done("check", f"the backup of {manifest.made_at} is whole")
    if there := _data(settings):
        _refuse_unless(force, there)
        board.say("stack", "removing what is there")
        bring_down(settings, say=lambda words: board.say("stack", words))
        remove(there)
        board.done("stack", "what was there is removed")
    # It says which version Airflow's tables have, and they are others now.
    (settings.home / "airflow" / "migrated").unlink(missing_ok=True)
    board.say("databases", "unpacking, and going through the log")
    databases.put_back(settings, source / DATABASES)
    board.done("databases", f"as of {manifest.made_at}")
    stores = [service for service in of_profile("core", settings) if service.name in STORES]
    bring_up(stores, settings, say=board.say, done=board.done)
    _put_objects(settings, source, manifest, board)
    return manifest


def _put_objects(settings: Settings, source: Path, manifest: Manifest, board: Board) -> None:
    s3 = minio.client(settings)
    if settings.s3_endpoint:
        minio.make_buckets(settings)
    for bucket, copied in manifest.buckets.items():
        board.say(bucket, "writing")
        other = objects.put_back(
            s3,
            bucket,
            source / bucket_file(bucket),
            total=copied.objects,
            say=partial(board.say, bucket),
        )
        # A landed file is known by its ETag; of other objects nobody asks it.
        known = bucket == settings.landing_bucket and other
        more = f"; {len(other)} have another ETag, and will be ingested again" if known else ""
        board.done(bucket, f"{copied.objects:,} objects{more}")


def _data(settings: Settings) -> list[Path]:
    """The data of this stack: what a restore would have to replace."""
    found = [postgres.data_folder(settings)]
    if not settings.s3_endpoint:
        found.append(settings.home / "minio")
    return [path for path in found if path.exists() and any(path.iterdir())]


def _refuse_unless(force: bool, there: list[Path]) -> None:
    if not force:
        raise MillraceError(
            "This stack holds data, and a restore would replace it",
            place=", ".join(map(str, there)),
            found="databases or objects",
            expected="an empty stack",
            fix="`make backup` what is there, then `make restore FROM=<folder> FORCE=1` removes it first",
        )
