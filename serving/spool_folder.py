"""The folder of a spool: `lock`, `position`, and the segments `<number>.spool`; and why a request could not be kept."""

import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path

from millrace.contract.errors import MillraceError

_NAME = re.compile(r"[0-9]{10}\.spool")
_POSITION = re.compile(r"([0-9]+) ([0-9]+)\n")


class SpoolError(MillraceError):
    """A request that could not be kept, so it must not be answered."""


class SpoolFullError(SpoolError):
    """The spool holds as much as it may."""


class SpoolDiskError(SpoolError):
    """The disk refused the write."""


@dataclass(frozen=True, order=True)
class Position:
    """A place in the spool: a segment, and bytes from its beginning."""

    segment: int
    offset: int


def locked(folder: Path) -> int:
    """Make the folder if it is not there, and hold it until the file descriptor is closed or the process ends.

    Raises:
        MillraceError: If another process holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise disk_error(folder, error) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(held)
        raise MillraceError(
            "The spool belongs to another process",
            place=str(folder),
            found="a living process that has it open",
            expected="one process for each replica",
            fix="give each replica a MILLRACE_REPLICA of its own, and run uvicorn with one worker",
        ) from error
    return held


def segments(folder: Path) -> list[int]:
    """The numbers of the segments, rising: the order in which they were written."""
    return sorted(int(path.stem) for path in folder.iterdir() if _NAME.fullmatch(path.name))


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:010d}.spool"


def new_segment(folder: Path, number: int) -> int:
    """A new file, open for appending."""
    return os.open(segment_path(folder, number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)


def recorded_position(folder: Path) -> Position:
    """Up to where all is stored. Where that cannot be read, from the beginning: what comes twice is stored once."""
    path = folder / "position"
    found = _POSITION.fullmatch(path.read_text(encoding="ascii", errors="replace")) if path.exists() else None
    return Position(int(found[1]), int(found[2])) if found else Position(0, 0)


def record_position(folder: Path, position: Position) -> None:
    """Delete the segments of which all is stored, and remember up to where.

    In this order: on a full disk there is room again for the position, which is a hint alone.

    Raises:
        OSError: If the disk refuses.
    """
    for number in segments(folder):
        if number < position.segment:
            segment_path(folder, number).unlink(missing_ok=True)
    part = folder / "position.part"
    part.write_text(f"{position.segment} {position.offset}\n", encoding="ascii")
    part.replace(folder / "position")


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names of the folder's files."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def full_error(folder: Path, *, waiting_bytes: int, limit_bytes: int) -> SpoolFullError:
    return SpoolFullError(
        "The spool of predictions is full",
        place=str(folder),
        found=f"{waiting_bytes} bytes that the database has not taken yet",
        expected=f"at most {limit_bytes} bytes, this request's among them (MILLRACE_SPOOL_LIMIT_BYTES)",
        fix="bring the warehouse database back; the spool empties by itself",
    )


def disk_error(folder: Path, error: OSError) -> SpoolDiskError:
    return SpoolDiskError(
        "The spool of predictions cannot be written",
        place=str(folder),
        found=error.strerror or str(error),
        expected="a local disk with room, that this user may write to",
        fix="make room on the disk, or name another folder with MILLRACE_SPOOL_DIR",
    )
