"""A backup holds the databases of one moment and every object; an empty stack becomes what was backed up."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.console import Console

from infra.backup.backup import back_up
from infra.backup.manifest import SUMS, Manifest, bucket_file
from infra.backup.restore import restore
from infra.progress import Board
from infra.services import minio, postgres
from millrace.contract.errors import MillraceError
from millrace.contract.names import LOCK_OF_DELETION
from tests.infra import small_stack

pytestmark = pytest.mark.stack
PART = 5 << 20
OBJECTS = {"plain": b"a" * 1000, "a/b c/ü=1.parquet": b"x", "none": b""}


def board() -> Board:
    return Board(Console(quiet=True), None)


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The backup of a stack with rows and objects, which is gone when the tests begin."""
    with small_stack.fresh():
        small_stack.up("postgres", "minio")
        fill()
        folder = tmp_path_factory.mktemp("backups") / "first"
        back_up(small_stack.settings(), folder, board())
        small_stack.down()
        small_stack.wipe()
        yield folder


def fill() -> None:
    settings = small_stack.settings()
    for database in postgres.DATABASES:
        with psycopg.connect(settings.postgres_dsn(database)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT n, md5(n::text) AS told FROM generate_series(1, 20000) n")
    s3 = minio.client(settings)
    for key, content in OBJECTS.items():
        s3.put_object(Bucket=settings.landing_bucket, Key=key, Body=content, ContentType="text/csv")
    upload = s3.create_multipart_upload(Bucket=settings.landing_bucket, Key="large")["UploadId"]
    parts: list[Any] = []
    for number, content in enumerate((b"l" * PART, b"m" * PART, b"rest"), start=1):
        told: dict[str, Any] = {"Bucket": settings.landing_bucket, "Key": "large", "UploadId": upload}
        done = s3.upload_part(**told, PartNumber=number, Body=content)
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    s3.complete_multipart_upload(**told, MultipartUpload={"Parts": parts})


def rows(database: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(small_stack.settings().postgres_dsn(database)) as connection:
        return connection.execute("SELECT count(*), md5(string_agg(told, '' ORDER BY n)) FROM kept").fetchall()


def objects() -> dict[str, tuple[str, str, int]]:
    settings = small_stack.settings()
    s3 = minio.client(settings)
    listed = s3.list_objects_v2(Bucket=settings.landing_bucket)["Contents"]
    found = {one["Key"]: s3.head_object(Bucket=settings.landing_bucket, Key=one["Key"]) for one in listed}
    return {key: (one["ETag"], one["ContentType"], one["ContentLength"]) for key, one in found.items()}


def test_an_empty_stack_becomes_what_was_backed_up(backup: Path, tmp_path: Path) -> None:
    # The env file went with the old stack, so every password is another one.
    restore(small_stack.settings(), backup, board(), force=False)
    small_stack.up("postgres", "minio")
    before = {database: rows(database) for database in postgres.DATABASES}
    assert [count for ((count, _),) in before.values()] == [20_000] * 4
    there = objects()
    assert there.keys() == {*OBJECTS, "large"}
    assert there["plain"][1:] == ("text/csv", 1000)
    assert there["large"][0].endswith('-3"')
    # What was restored can be backed up, and force puts a backup in the place of what is there.
    second = tmp_path / "second"
    again = while_files_are_deleted(lambda: back_up(small_stack.settings(), second, board()))
    with pytest.raises(MillraceError, match="holds data"):
        restore(small_stack.settings(), second, board(), force=False)
    with psycopg.connect(small_stack.settings().postgres_dsn("warehouse")) as connection:
        connection.execute("DROP TABLE kept")
    restore(small_stack.settings(), second, board(), force=True)
    assert {database: rows(database) for database in postgres.DATABASES} == before
    assert objects() == there
    assert again.buckets[small_stack.settings().landing_bucket].objects == len(there)
    small_stack.down()
    small_stack.wipe()


def while_files_are_deleted(make: Callable[[], Manifest]) -> Manifest:
    """A backup that begins while maintenance deletes: it waits for the end of that."""
    with (
        psycopg.connect(small_stack.settings().postgres_dsn("warehouse"), autocommit=True) as connection,
        ThreadPoolExecutor(1) as pool,
    ):
        connection.execute("SELECT pg_advisory_lock_shared(%s)", [LOCK_OF_DELETION])
        making = pool.submit(make)
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
        small_stack.wait_for(lambda: connection.execute(waiting, [LOCK_OF_DELETION]).fetchone(), "the backup waits")
        assert not making.done()
        connection.execute("SELECT pg_advisory_unlock_shared(%s)", [LOCK_OF_DELETION])
        return making.result()


@pytest.mark.parametrize("damage", ["changed", "missing", "unfinished"])
def test_of_a_damaged_backup_nothing_is_restored(backup: Path, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(backup, copy)
    broken = copy / (SUMS if damage == "unfinished" else bucket_file(small_stack.settings().landing_bucket))
    if damage == "changed":
        content = bytearray(broken.read_bytes())
        content[700] ^= 1
        broken.write_bytes(content)
    else:
        broken.unlink()
    with pytest.raises(MillraceError, match=broken.name):
        restore(small_stack.settings(), copy, board(), force=True)
    assert not postgres.data_folder(small_stack.settings()).exists()


def test_a_backup_holds_no_password_and_only_its_owner_reads_it(backup: Path) -> None:
    settings = small_stack.settings()
    assert backup.stat().st_mode & 0o077 == 0
    secrets = [settings.postgres_password, settings.iceberg_db_password, settings.s3_secret_key]
    for path in backup.iterdir():
        content = path.read_bytes()
        assert not [1 for secret in secrets if secret.get_secret_value().encode() in content]
    Manifest.model_validate_json((backup / "manifest.json").read_text())


def test_without_a_running_stack_there_is_no_backup(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(MillraceError, match="no running stack"):
        back_up(small_stack.settings(), tmp_path / "none", board())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MillraceError, match="where the backup should go"):
        back_up(small_stack.settings(), backup, board())
