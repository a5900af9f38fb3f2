"""The spool: append-only files of this replica, into which every answered request is written before its answer leaves.

What one `os.write` was given survives the end of the process, whatever ends it. A thread reads the files in order, and
what it has shipped is deleted.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from serving.spool_folder import (
    Position,
    disk_error,
    full_error,
    locked,
    new_segment,
    record_position,
    recorded_position,
    segment_path,
    segments,
    sync_folder,
)
from serving.spool_lines import Damaged, Line, lines

logger = logging.getLogger("serving.spool")

SEGMENT_BYTES = 16_000_000
PROBE_BYTES = 100_000


@dataclass(frozen=True)
class Batch:
    """What was read from the spool, and where to go on."""

    found: tuple[Line | Damaged, ...]
    until: Position
    bytes: int


@dataclass(frozen=True)
class Backlog:
    """What is written and not shipped. `oldest_ms`: when the oldest of it was answered, None if there is none."""

    rows: int
    bytes: int
    limit_bytes: int
    oldest_ms: int | None


class Spool:
    """One replica's spool. `write` and `sync` are for any thread; `read` and `advance` for one alone."""

    def __init__(
        self, folder: Path, *, limit_bytes: int, segment_bytes: int = SEGMENT_BYTES, sync_each_write: bool = False
    ) -> None:
        """Open the folder, made if it is not there.

        Args:
            limit_bytes: Most bytes that may wait to be shipped.
            sync_each_write: Whether a write waits until the disk has it, so that a loss of power takes nothing.

        Raises:
            MillraceError: If another process has it open, or it cannot be written.
        """
        self.folder, self.limit_bytes = folder, limit_bytes
        self._segment_bytes, self._sync_each_write = segment_bytes, sync_each_write
        self._held = locked(folder)
        self.trouble: str | None = None
        """Why the disk refused the last write, None if it took it."""
        self._lock = threading.Lock()
        self.news = threading.Event()
        """Set by each write; who waits for it clears it."""
        self._position = recorded_position(folder)
        # No number is used again: a position that outlived its segment would hide the beginning of another.
        self._number = max([*segments(folder), self._position.segment])
        self._fd: int | None = None
        self._size = 0
        self._unsynced: set[int] = set()
        """Files with something that the disk may not have, the one being written and those before it."""
        self.rows = self.bytes = 0
        for found, size in self._pending():
            self.rows += found.rows if isinstance(found, Line) else 0
            self.bytes += size

    def write(self, written: bytes, *, rows: int) -> None:
        """Append one line, as a whole or not at all.

        Raises:
            SpoolError: If it was not kept.
        """
        with self._lock:
            if self.bytes + len(written) > self.limit_bytes:
                raise full_error(self.folder, waiting_bytes=self.bytes, limit_bytes=self.limit_bytes)
            try:
                fd = self._open_segment()
                if os.write(fd, written) != len(written):
                    raise OSError("the disk took a part of the line only")
                if self._sync_each_write:
                    os.fdatasync(fd)
            except OSError as error:
                self._give_up_segment()
                self.trouble = error.strerror or str(error)
                raise disk_error(self.folder, error) from error
            self.trouble = None
            self._unsynced.add(fd)
            self._size += len(written)
            self.bytes += len(written)
            self.rows += rows
        self.news.set()

    def sync(self) -> None:
        """Wait until the disk has what was written so far.

        Raises:
            OSError: If the disk refuses.
        """
        with self._lock:
            current, unsynced = self._fd, self._unsynced
            if not unsynced:
                return
            # The one being written may be closed by a refused write meanwhile.
            files = [os.dup(fd) if fd == current else fd for fd in unsynced]
            self._unsynced = set()
        try:
            for fd in files:
                os.fdatasync(fd)
            sync_folder(self.folder)
        finally:
            for fd in files:
                os.close(fd)

    def read(self, most_bytes: int) -> Batch | None:
        """The lines from the position on, about so many bytes, one line at least. None: everything is shipped."""
        start = self._position
        while (end := self._end_of(start.segment)) <= start.offset:
            later = [one for one in segments(self.folder) if one > start.segment]
            if not later:
                return None
            start = Position(min(later), 0)
        with segment_path(self.folder, start.segment).open("rb") as file:
            file.seek(start.offset)
            taken = file.read(min(most_bytes, end - start.offset))
            while b"\n" not in taken and len(taken) < end - start.offset:
                taken += file.read(min(most_bytes, end - start.offset - len(taken)))
        ended = taken.rfind(b"\n") + 1
        if ended < len(taken) == end - start.offset:
            # The last words of a process that was killed while it wrote, so nobody was answered.
            logger.info("%d bytes of a torn line at the end of segment %d", len(taken) - ended, start.segment)
            ended = len(taken)
        return Batch(tuple(lines(taken[:ended])), Position(start.segment, start.offset + ended), ended)

    def advance(self, batch: Batch) -> None:
        """Forget a batch that is stored; segments that hold nothing else are deleted."""
        self._position = self._next_after(batch.until)
        with self._lock:
            self.bytes -= batch.bytes
            self.rows -= sum(one.rows for one in batch.found if isinstance(one, Line))
        try:
            record_position(self.folder, self._position)
        except OSError as error:
            # As on a full disk. After a restart some of it is shipped again, which changes nothing.
            logger.warning("the position of the spool cannot be recorded: %s", error.strerror)

    def try_again(self) -> None:
        """See whether a disk that refused takes something again: a replica that is not ready is sent no request."""
        if self.trouble is None:
            return
        probe = self.folder / "probe"
        try:
            probe.write_bytes(bytes(PROBE_BYTES))
        except OSError as error:
            self.trouble = error.strerror or str(error)
        else:
            self.trouble = None
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)

    def backlog(self) -> Backlog:
        """What waits to be shipped."""
        oldest = next((found.at_ms for found, _ in self._pending() if isinstance(found, Line)), None)
        return Backlog(self.rows, self.bytes, self.limit_bytes, oldest)

    def search(self, wanted: bytes) -> bytes | None:
        """The content of the first line not yet shipped that holds some bytes."""
        for found, _ in self._pending():
            if isinstance(found, Line) and wanted in found.content:
                return found.content
        return None

    def close(self) -> None:
        """Sync what is written, and let another process open the folder."""
        try:
            self.sync()
        finally:
            with self._lock:
                if self._fd is not None:
                    os.close(self._fd)
                self._fd = None
                os.close(self._held)

    def _open_segment(self) -> int:
        """The file to write to: a new one where the last is long enough, whose end `sync` closes."""
        if self._fd is None or self._size >= self._segment_bytes:
            fd = new_segment(self.folder, self._number + 1)
            if self._fd is not None and self._fd not in self._unsynced:
                os.close(self._fd)
            self._number, self._fd, self._size = self._number + 1, fd, 0
            if self._sync_each_write:
                sync_folder(self.folder)
        return self._fd

    def _give_up_segment(self) -> None:
        """What the file ends in is not known after an error: cut what can be cut, and go on in another file."""
        if self._fd is None:
            return
        try:
            os.ftruncate(self._fd, self._size)
        except OSError as error:
            logger.warning("a refused line cannot be cut from the spool, and is torn: %s", error.strerror)
        if self._fd not in self._unsynced:
            os.close(self._fd)
        self._fd = None
        if self._size == 0:
            # A full disk would gather one for each request.
            segment_path(self.folder, self._number).unlink(missing_ok=True)

    def _next_after(self, until: Position) -> Position:
        """Where to go on: behind a file that was read to its end and is written no more, so that it is deleted."""
        with self._lock:
            is_written = self._fd is not None and until.segment == self._number
        # Once it is not written any more, its size is its last one.
        if is_written or self._end_of(until.segment) > until.offset:
            return until
        return Position(until.segment + 1, 0)

    def _end_of(self, number: int) -> int:
        """Bytes of a segment that may be read: of the one being written, whole lines only."""
        with self._lock:
            if number == self._number and self._fd is not None:
                return self._size
        try:
            return segment_path(self.folder, number).stat().st_size
        except FileNotFoundError:
            return 0  # It was shipped meanwhile.

    def _pending(self) -> Iterator[tuple[Line | Damaged, int]]:
        """Every line from the position on, with its bytes; what is shipped meanwhile may be left out."""
        start = self._position
        for number in segments(self.folder):
            offset, end = (start.offset if number == start.segment else 0), self._end_of(number)
            if number < start.segment or end <= offset:
                continue
            try:
                file = segment_path(self.folder, number).open("rb")
            except FileNotFoundError:
                continue
            with file:
                file.seek(offset)
                while offset < end and (one := file.readline(end - offset)):
                    offset += len(one)
                    yield next(lines(one), Damaged(one)), len(one)
