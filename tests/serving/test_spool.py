"""The spool gives back what it was given, each line once, whatever the process or the disk does in between."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from millrace.contract.errors import MillraceError
from serving.spool import Spool
from serving.spool_folder import SpoolDiskError, SpoolFullError
from serving.spool_lines import Line, line, lines

CONTENTS = st.binary(min_size=1, max_size=60).map(lambda found: found.replace(b"\n", b" "))


def opened(folder: Path, *, limit_bytes: int = 10_000_000, segment_bytes: int = 1_000_000) -> Spool:
    return Spool(folder, limit_bytes=limit_bytes, segment_bytes=segment_bytes)


def put(spool: Spool, content: bytes, rows: int = 1) -> None:
    spool.write(line(content, at_ms=len(content), rows=rows), rows=rows)


def shipped(spool: Spool, most_bytes: int = 1_000) -> Iterator[bytes]:
    """All that is there, as the shipping thread takes it."""
    while (batch := spool.read(most_bytes)) is not None:
        yield from (one.content for one in batch.found if isinstance(one, Line))
        spool.advance(batch)


def killed(spool: Spool) -> None:
    """What the end of the process does: descriptors are closed, nothing else happens."""
    for fd in {spool._held, spool._fd, *spool._unsynced} - {None}:
        os.close(fd)


@given(st.lists(st.tuples(CONTENTS, st.integers(0, 2**40), st.integers(0, 10_000)), max_size=8))
def test_lines_are_read_as_they_were_written(written: list[tuple[bytes, int, int]]) -> None:
    read = b"".join(line(content, at_ms=at_ms, rows=rows) for content, at_ms, rows in written)
    assert list(lines(read)) == [Line(at_ms, rows, content) for content, at_ms, rows in written]


@given(st.lists(CONTENTS, min_size=1, max_size=6), st.data())
def test_a_cut_loses_the_torn_line_alone(contents: list[bytes], data: st.DataObject) -> None:
    written = [line(content, at_ms=1, rows=1) for content in contents]
    cut = data.draw(st.integers(0, len(b"".join(written))))
    whole, size = 0, 0
    while whole < len(written) and size + len(written[whole]) <= cut:
        size += len(written[whole])
        whole += 1
    assert list(lines(b"".join(written)[:cut])) == [Line(1, 1, content) for content in contents[:whole]]


@given(st.lists(CONTENTS, min_size=1, max_size=6), st.data())
def test_a_changed_byte_damages_its_line_and_no_other(contents: list[bytes], data: st.DataObject) -> None:
    read = bytearray(b"".join(line(content, at_ms=1, rows=1) for content in contents))
    at = data.draw(st.integers(0, len(read) - 1))
    before = read[at]
    read[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte not in {before, 10}))
    found = list(lines(bytes(read)))
    kept = [one.content for one in found if isinstance(one, Line)]
    lost = len(contents) - len(kept)
    # A changed line feed joins two lines, or leaves the last without an end.
    assert lost in ({1, 2} if before == 10 else {1})
    remaining = list(contents)
    for content in kept:
        remaining.remove(content)
    assert len(remaining) == lost


class Interleaved(RuleBasedStateMachine):
    """Writes, batches, kills at any moment and torn last words, in any order, against a list and a set."""

    done = Bundle("done")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(os.environ["PYTEST_SPOOL_FOLDER"]) / os.urandom(8).hex()
        self.spool = self.open()
        self.answered: list[bytes] = []
        self.table: list[bytes] = []
        self.number = 0

    def open(self) -> Spool:
        return opened(self.folder, segment_bytes=200)

    @rule(size=st.integers(1, 150))
    def write(self, size: int) -> None:
        self.number += 1
        content = b"#%06d " % self.number + b"x" * size
        put(self.spool, content)
        self.answered.append(content)

    @rule(most_bytes=st.integers(1, 500))
    def ship(self, most_bytes: int) -> None:
        batch = self.spool.read(most_bytes)
        if batch is not None:
            self.store(batch)
            self.spool.advance(batch)

    @rule(most_bytes=st.integers(1, 500))
    def killed_after_the_commit(self, most_bytes: int) -> None:
        """The database has the batch, and nobody was told: it comes again."""
        batch = self.spool.read(most_bytes)
        if batch is not None:
            self.store(batch)
        self.restart(torn=b"")

    @rule(torn=st.binary(max_size=40).map(lambda found: found.replace(b"\n", b" ")))
    def restart(self, torn: bytes) -> None:
        fd = self.spool._fd
        if fd is not None:
            os.write(fd, torn)
        killed(self.spool)
        self.spool = self.open()

    @precondition(lambda self: (self.folder / "position").exists())
    @rule()
    def the_position_is_lost(self) -> None:
        killed(self.spool)
        (self.folder / "position").unlink()
        self.spool = self.open()

    @rule()
    def sync(self) -> None:
        self.spool.sync()

    def store(self, batch: object) -> None:
        for one in batch.found:
            # As the primary key does: what is there stays.
            if isinstance(one, Line) and one.content not in self.table:
                self.table.append(one.content)

    @invariant()
    def nothing_is_lost_and_all_in_order(self) -> None:
        assert self.table == self.answered[: len(self.table)]
        waiting = [one for one in self.answered if self.spool.search(one)]
        assert set(self.table) | set(waiting) == set(self.answered)
        assert self.spool.backlog().rows == len(waiting)

    def teardown(self) -> None:
        batches = list(shipped(self.spool))
        assert self.table + [one for one in batches if one not in self.table] == self.answered
        assert (self.spool.backlog().rows, self.spool.backlog().bytes) == (0, 0)
        killed(self.spool)


@pytest.fixture(scope="module", autouse=True)
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTEST_SPOOL_FOLDER", str(tmp_path_factory.mktemp("spools")))
        yield


TestInterleaved = Interleaved.TestCase
TestInterleaved.settings = settings(max_examples=60, stateful_step_count=25)


def test_a_folder_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(MillraceError, match="belongs to another process"):
        opened(tmp_path)
    first.close()
    opened(tmp_path).close()


def test_a_full_spool_refuses_and_takes_again_once_it_is_shipped(tmp_path: Path) -> None:
    spool = opened(tmp_path, limit_bytes=300, segment_bytes=10_000)
    for _ in range(3):
        put(spool, b"x" * 60)
    with pytest.raises(SpoolFullError):
        put(spool, b"y" * 90)
    assert list(shipped(spool)) == [b"x" * 60] * 3
    put(spool, b"again")
    assert list(shipped(spool)) == [b"again"]


@pytest.mark.parametrize("part", [0, 9])
def test_what_the_disk_refuses_is_not_kept_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    spool = opened(tmp_path)
    put(spool, b"before")
    with monkeypatch.context() as patched:
        write = os.write

        def full(fd: int, content: bytes) -> int:
            if part:
                return write(fd, content[:part])
            raise OSError(errno.ENOSPC, "No space left on device")

        patched.setattr(os, "write", full)
        with pytest.raises(SpoolDiskError):
            put(spool, b"refused")
    put(spool, b"after")
    assert spool.rows == 2
    assert list(shipped(spool)) == [b"before", b"after"]


def test_a_refused_line_that_cannot_be_cut_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened(tmp_path)
    put(spool, b"before")
    with monkeypatch.context() as patched:
        write = os.write

        def fails(*_: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        patched.setattr(os, "write", lambda fd, content: write(fd, content[:5]))
        patched.setattr(os, "ftruncate", fails)
        with pytest.raises(SpoolDiskError):
            put(spool, b"refused")
    put(spool, b"after")
    assert list(shipped(spool)) == [b"before", b"after"]


def test_a_real_disk_that_is_full_refuses(tmp_path: Path) -> None:
    """`/dev/full` takes no byte."""
    spool = opened(tmp_path)
    put(spool, b"before")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, spool._fd)
    os.close(full)
    with pytest.raises(SpoolDiskError) as refused:
        put(spool, b"refused")
    assert refused.value.found == "No space left on device"
    put(spool, b"after")
    assert list(shipped(spool)) == [b"before", b"after"]


def test_what_is_shipped_leaves_the_disk(tmp_path: Path) -> None:
    spool = opened(tmp_path, segment_bytes=100)
    for number in range(50):
        put(spool, b"%d" % number * 20)
    assert len(list(tmp_path.glob("*.spool"))) > 10
    assert len(list(shipped(spool))) == 50
    assert len(list(tmp_path.glob("*.spool"))) == 1


def test_a_position_that_cannot_be_recorded_stops_nothing(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    (tmp_path / "position").mkdir()
    put(spool, b"one")
    assert list(shipped(spool)) == [b"one"]
    put(spool, b"two")
    assert list(shipped(spool)) == [b"two"]


def test_only_its_owner_may_read_the_spool(tmp_path: Path) -> None:
    spool = opened(tmp_path / "spool")
    put(spool, b"one")
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "spool").glob("*.spool")} == {0}
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0


def test_many_threads_write_whole_lines_while_one_ships(tmp_path: Path) -> None:
    spool = opened(tmp_path, segment_bytes=5_000)
    contents = [[b"%d-%d " % (thread, number) + b"x" * (number % 90) for number in range(300)] for thread in range(6)]
    threads = [threading.Thread(target=lambda mine=mine: [put(spool, one) for one in mine]) for mine in contents]
    found: list[bytes] = []
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found += shipped(spool)
        spool.sync()
    found += shipped(spool)
    assert sorted(found) == sorted(one for mine in contents for one in mine)
    assert spool.backlog().rows == 0


def refusing(monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[pytest.MonkeyPatch]:
    """A disk that is full, until the block ends."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    @contextmanager
    def patched() -> Iterator[pytest.MonkeyPatch]:
        with monkeypatch.context() as told:
            told.setattr(os, "write", full)
            told.setattr(Path, "write_bytes", full)
            yield told

    return patched()


def test_a_full_disk_is_empty_again_once_all_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened(tmp_path)
    put(spool, b"before")
    with refusing(monkeypatch):
        for _ in range(20):
            with pytest.raises(SpoolDiskError):
                put(spool, b"refused")
        assert list(shipped(spool)) == [b"before"]
        assert list(tmp_path.glob("*.spool")) == []
    put(spool, b"after")
    assert list(shipped(spool)) == [b"after"]
    assert spool.bytes == 0


def test_a_segment_that_grew_after_it_was_read_is_not_deleted(tmp_path: Path) -> None:
    spool = opened(tmp_path, segment_bytes=100)
    put(spool, b"first")
    batch = spool.read(1_000)
    put(spool, b"second" * 20)
    put(spool, b"third")
    assert batch is not None
    spool.advance(batch)
    assert list(shipped(spool)) == [b"second" * 20, b"third"]


def test_a_disk_that_refuses_is_told_until_it_takes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened(tmp_path)
    put(spool, b"before")
    with refusing(monkeypatch):
        with pytest.raises(SpoolDiskError):
            put(spool, b"refused")
        spool.try_again()
        assert spool.trouble == "No space left on device"
    spool.try_again()
    assert spool.trouble is None
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".spool") == ["lock"]
