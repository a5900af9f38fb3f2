"""The lines of a spool file. Each tells its checksum, so that a torn or damaged one is known for what it is.

`<CRC-32 in hex> <milliseconds since 1970> <rows> <JSON>\\n`: the checksum covers all behind it, and JSON on one line
holds no line feed, so that the next line is found whatever became of this one.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_CHECKSUM = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is whole."""

    at_ms: int
    rows: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Damaged:
    """What stands between two line feeds and is no line of ours any more."""

    found: bytes


def line(content: bytes, *, at_ms: int, rows: int) -> bytes:
    """A line to write. `content` holds no line feed."""
    checked = b"%d %d %b" % (at_ms, rows, content)
    return b"%08x %b\n" % (zlib.crc32(checked), checked)


def lines(read: bytes) -> Iterator[Line | Damaged]:
    """Every line that ends in `read`; what stands behind the last line feed is not told."""
    *ended, _rest = read.split(b"\n")
    return map(_parsed, ended)


def _parsed(ended: bytes) -> Line | Damaged:
    checksum, _, checked = ended.partition(b" ")
    if len(checksum) != _CHECKSUM or checksum != b"%08x" % zlib.crc32(checked):
        return Damaged(ended)
    at_ms, rows, content = checked.split(b" ", 2)
    return Line(int(at_ms), int(rows), content)
