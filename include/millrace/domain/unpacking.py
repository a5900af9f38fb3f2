"""The bytes of a file, unpacked if it is compressed, as its first bytes tell: gzip and Zstandard, in a stream."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Protocol

from zstandard import ZstdDecompressor, ZstdError

from millrace.domain.raw_rows import UnusableFileError

UNPACKED_BYTES = 1 << 30
"""To this size any file may unpack."""
MAX_EXPANSION = 200
"""Beyond that size, how many times its own bytes a file may unpack to. Tables take 3 to 50; a decompression bomb,
thousands."""
_CHUNK_BYTES = 1 << 20
# Zstandard makes at most 128 KiB of 4 bytes: what one piece unpacks to always fits into memory.
_PIECE_BYTES = 1 << 10
_MAX_WINDOW_BYTES = 1 << 27


class _Part(Protocol):
    """A gzip member or a Zstandard frame; a file may have several."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _gzip_member() -> _Part:
    return zlib.decompressobj(wbits=31)


def _zstd_frame() -> _Part:
    return ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()


_PACKED: dict[bytes, tuple[str, Callable[[], _Part]]] = {
    b"\x1f\x8b": ("gzip", _gzip_member),
    b"\x28\xb5\x2f\xfd": ("Zstandard", _zstd_frame),
}
"""First bytes → name and what unpacks it. No text begins so: in UTF-8 the second byte cannot follow the first."""


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a file as they are, or unpacked if it is compressed; its name does not matter.

    Raises:
        UnusableFileError: While bytes are taken, if the compressed data is damaged or cut off, or unpacks to far more
            than a table would.
    """
    start, chunks = peeked(chunks, 4)
    for magic, (kind, begin) in _PACKED.items():
        if start.startswith(magic):
            return _unpack(chunks, kind, begin)
    return iter(chunks)


def peeked(chunks: Iterable[bytes], size: int) -> tuple[bytes, Iterable[bytes]]:
    """At least the first bytes of a file, fewer only if it has no more; and all its bytes."""
    rest, start = iter(chunks), b""
    while len(start) < size and (chunk := next(rest, None)) is not None:
        start += chunk
    return start, chain([start], rest)


def _unpack(chunks: Iterable[bytes], kind: str, begin: Callable[[], _Part]) -> Iterator[bytes]:
    part, ready = begin(), bytearray()
    taken = given = 0
    for piece in _pieces(chunks):
        taken += len(piece)
        waiting = piece
        while waiting:
            if part.eof:
                waiting = waiting.lstrip(b"\0")  # gzip may be padded
                if not waiting:
                    break
                part = begin()
            try:
                text = part.decompress(waiting)
            except (zlib.error, ZstdError) as error:
                raise UnusableFileError(f"its {kind} data is damaged within the first {taken:,} bytes") from error
            ready += text
            given += len(text)
            waiting = part.unused_data
        if given > UNPACKED_BYTES and given > MAX_EXPANSION * taken:
            raise UnusableFileError(
                f"its first {taken:,} bytes of {kind} unpack to more than {MAX_EXPANSION} times as many:"
                " no table does, but a decompression bomb; land it unpacked if it is one"
            )
        if len(ready) >= _CHUNK_BYTES:
            yield bytes(ready)
            ready.clear()
    if not part.eof:
        raise UnusableFileError(f"its {kind} data ends before it is complete: the file was cut off")
    yield bytes(ready)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE_BYTES):
            yield chunk[at : at + _PIECE_BYTES]
