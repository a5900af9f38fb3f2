"""An object store of our own on a disk so small that it fills up."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.services import minio
from millrace.settings import Settings, get_settings
from tests.awaiting import await_that

DISK_MIB = 128
PORT_OFFSET = 1_300
"""Over that of the stack whose other services are used."""
START_SECONDS = 60


@dataclass(frozen=True)
class SmallStore:
    """The store; `settings` are those of its stack."""

    settings: Settings

    @contextmanager
    def nearly_full(self) -> Iterator[None]:
        """While the block runs, there is room for a MiB at most: for a table's metadata, not for its rows."""
        ballast: list[str] = []
        try:
            for mib in (16, 1):
                while self._takes(f"ballast-{len(ballast)}", mib):
                    ballast.append(f"ballast-{len(ballast)}")
            yield
        finally:
            for key in ballast:
                self._forget(key)
            # It notices after a while that there is room again.
            await_that("there is room", lambda: self._takes("ballast", 32), seconds=START_SECONDS)
            self._forget("ballast")

    def _takes(self, key: str, mib: int) -> bool:
        try:
            minio.client(self.settings).put_object(Bucket=self.settings.models_bucket, Key=key, Body=bytes(mib << 20))
        except ClientError:
            return False
        return True

    def _forget(self, key: str) -> None:
        minio.client(self.settings).delete_object(Bucket=self.settings.models_bucket, Key=key)


@contextmanager
def small_store(folder: Path) -> Iterator[SmallStore]:
    """Such a store, with the buckets of a stack, as long as the block runs."""
    now = get_settings()
    settings = now.model_copy(
        update={"home": folder / "home", "port_offset": now.port_offset + PORT_OFFSET, "s3_endpoint": ""}
    )
    minio.prepare(settings)
    with _disk(settings.home / "minio"):
        launch = minio.launch(settings)
        with (folder / "minio.log").open("wb") as log:
            environment = os.environ | launch.environment
            process = subprocess.Popen(launch.argv, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            await_that("MinIO answers", lambda: minio.SERVICE.waiting_for(settings) is None, seconds=START_SECONDS)
            minio.make_buckets(settings)
            yield SmallStore(settings)
        finally:
            process.kill()
            process.wait()


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"a disk of our own cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
