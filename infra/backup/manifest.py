"""What a backup says of itself, and whether it is whole: `manifest.json`, and sums that `sha256sum -c` reads."""

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel

from infra.services.minio import buckets
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
DATABASES = "postgres.tar"


class Copied(BaseModel):
    """What was copied of one bucket."""

    objects: int
    bytes: int


class Manifest(BaseModel):
    """The facts of one backup."""

    format: int = 1
    made_at: str
    """UTC, when the databases were copied."""
    postgres_version: str
    """The major version whose files these are."""
    buckets: dict[str, Copied]
    """Under their names: the tables' metadata names its files with the bucket."""


def bucket_file(bucket: str) -> str:
    return f"s3-{bucket}.tar"


def seal(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and the sums of every file."""
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    told = "".join(f"{_sha256(path)}  {path.name}\n" for path in files)
    (folder / SUMS).write_text(told, encoding="utf-8")


def verify(folder: Path, settings: Settings) -> Manifest:
    """Read the manifest of a whole backup that fits this stack.

    Raises:
        MillraceError: If it is none, damaged, or of a stack with other buckets or another Postgres.
    """
    if not (folder / SUMS).is_file():
        raise _unusable(folder, f"no {SUMS}", "a folder that `make backup` has finished", "name such a folder")
    listed = [line.split("  ", 1) for line in (folder / SUMS).read_text(encoding="utf-8").splitlines()]
    for digest, name in listed:
        path = folder / name
        found = _sha256(path) if path.is_file() else "no such file"
        if found != digest:
            raise _unusable(path, f"SHA-256 {found}", digest, "take another backup: of this one nothing is restored")
    try:
        manifest = Manifest.model_validate(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise _unusable(folder / MANIFEST, str(error), "a manifest", "take another backup") from error
    missing = {MANIFEST, DATABASES, *map(bucket_file, manifest.buckets)} - {name for _, name in listed}
    if missing:
        raise _unusable(folder / SUMS, f"no line for {', '.join(sorted(missing))}", "every file", "take another backup")
    if set(manifest.buckets) != set(buckets(settings)):
        found, wanted = ", ".join(sorted(manifest.buckets)), ", ".join(sorted(buckets(settings)))
        fix = "set the MILLRACE_*_BUCKET of that stack: its tables name their files with the bucket"
        raise _unusable(folder / MANIFEST, f"buckets {found}", wanted, fix)
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unusable(place: Path, found: str, expected: str, fix: str) -> MillraceError:
    return MillraceError("The backup cannot be restored", place=str(place), found=found, expected=expected, fix=fix)
