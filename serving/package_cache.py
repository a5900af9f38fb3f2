"""The packages that this replica has put in force, on its own disk: what it serves while database or store are away.

`<folder>/<problem>/champion.json` is the champion's row, `<folder>/<problem>/<content hash>/` the files of a package,
data only. Each appears by a rename, whole and on the disk, or not at all. Of a problem two contents are kept: the one
in force, and the former one, so that a rollback takes neither network nor store. Nothing read here is trusted: who
reads a package checks its hashes as if it came from the store.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from millrace.adapters.champions import Champion
from millrace.contract.errors import MillraceError
from millrace.contract.model import Model

ENTRY = "champion.json"
UNFINISHED = ".unfinished-"
"""What a killed write leaves behind begins so; the next one of the problem removes it."""


class Entry(Model):
    """What is remembered of a problem."""

    format: Literal[1] = 1
    champion: Champion
    former: str | None
    """Content hash of the package that was in force before, None if there was none."""
    saved_at: datetime


def save(folder: Path, champion: Champion, files: Mapping[str, bytes]) -> None:
    """Remember a champion whose package was verified and put in force; what is older than the former one goes.

    Raises:
        OSError: If the disk is full, or refuses.
    """
    home, kept = folder / _plain(champion.problem), _plain(champion.content_hash)
    home.mkdir(parents=True, exist_ok=True)
    old = _entry(home)
    former = None
    if old is not None:
        former = old.champion.content_hash if old.champion.content_hash != champion.content_hash else old.former
    if not (home / kept).is_dir():
        with _appearing(home, home / kept) as unfinished:
            unfinished.mkdir()
            for name, content in files.items():
                _write(unfinished / _plain(name), content)
            _sync_folder(unfinished)
    entry = Entry(champion=champion, former=former, saved_at=datetime.now(UTC))
    with _appearing(home, home / ENTRY) as unfinished:
        _write(unfinished, entry.model_dump_json(indent=1).encode())
    for path in home.iterdir():
        if path.name not in (ENTRY, kept, former):
            _remove(path)


def problems(folder: Path) -> list[str]:
    """The problems of which anything is kept."""
    # What somebody else left there, such as a folder view's file, begins with a dot and is none.
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(name for name in names if not name.startswith("."))


def remembered(folder: Path) -> dict[str, Entry | None]:
    """What is remembered, by problem; None where something is, and cannot be read."""
    found = {name: _entry(folder / name) for name in problems(folder)}
    return {name: entry if entry and entry.champion.problem == name else None for name, entry in found.items()}


def read(folder: Path, problem: str, content_hash: str) -> dict[str, bytes] | None:
    """The files of a package as they are on the disk, not yet checked; None if it is not kept here.

    Raises:
        MillraceError: If the disk does not give them.
    """
    home = folder / problem / content_hash
    try:
        _plain(problem), _plain(content_hash)
        return {path.name: path.read_bytes() for path in home.iterdir()} if home.is_dir() else None
    except OSError as error:
        raise MillraceError(
            "The local cache of packages cannot be read",
            place=str(home),
            found=str(error),
            expected="the files of a package",
            fix="look at the disk; without its cache a replica needs the object store to start",
        ) from error


def discard(folder: Path, problem: str, content_hash: str) -> None:
    """Remove a package that proved damaged, so that it is fetched anew."""
    _remove(folder / _plain(problem) / _plain(content_hash))


def forget(folder: Path, problem: str) -> None:
    """Remove everything of a problem: its champion was withdrawn."""
    _remove(folder / _plain(problem))


def _entry(home: Path) -> Entry | None:
    try:
        return Entry.model_validate_json((home / ENTRY).read_bytes())
    except (OSError, ValueError):
        return None


@contextmanager
def _appearing(home: Path, path: Path) -> Iterator[Path]:
    """A path to write to, which takes its name when the block ends, and is on the disk then."""
    aside = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=home))
    try:
        yield aside / path.name
        (aside / path.name).rename(path)
        _sync_folder(home)
    finally:
        _remove(aside)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    # Without it a power loss may keep the file and lose its name.
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _plain(name: str) -> str:
    """The name of one file or folder: nothing that a database or a store says may lead out of the cache."""
    if not name or name.startswith(".") or Path(name).name != name:
        raise OSError(f"no plain name: {name!r}")
    return name
