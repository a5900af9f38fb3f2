"""Compressed files: unpacked in a stream, and set aside where they are damaged, cut off or a bomb."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from millrace.domain import unpacking
from millrace.domain.raw_rows import UnusableFileError
from millrace.domain.unpacking import unpacked

PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "Zstandard": zstandard.compress}
TABLE = b"".join(b"%d,some text,%d\n" % (row, row * 7919 % 1000) for row in range(20_000))

kinds = pytest.mark.parametrize("kind", PACK)


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def why_unusable(chunks: list[bytes]) -> str:
    with pytest.raises(UnusableFileError) as raised:
        for _ in unpacked(chunks):
            pass
    return str(raised.value)


@kinds
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=3), size=st.integers(1, 50))
def test_what_was_packed_comes_out_however_the_bytes_are_cut(kind: str, parts: list[bytes], size: int) -> None:
    packed = b"".join(map(PACK[kind], parts))
    assert b"".join(unpacked(cut(packed, size))) == b"".join(parts)


@given(st.binary(max_size=50), st.integers(1, 5))
def test_what_is_not_packed_stays_as_it_is(content: bytes, size: int) -> None:
    assert b"".join(unpacked(cut(b"id," + content, size))) == b"id," + content


@kinds
def test_a_file_that_was_cut_off_is_unusable_wherever_it_was_cut(kind: str) -> None:
    packed = PACK[kind](TABLE)
    for size in (4, 20, len(packed) // 2, len(packed) - 1):
        assert why_unusable([packed[:size]]) == f"its {kind} data ends before it is complete: the file was cut off"


@kinds
def test_a_damaged_file_is_unusable(kind: str) -> None:
    packed = bytearray(PACK[kind](TABLE))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = b"\xff" * 40
    assert f"its {kind} data is damaged" in why_unusable([bytes(packed)])


@kinds
def test_what_follows_the_data_is_damage(kind: str) -> None:
    assert "damaged" in why_unusable([PACK[kind](TABLE) + b"rest"])


def test_padding_after_gzip_is_none() -> None:
    assert b"".join(unpacked([gzip.compress(TABLE) + b"\0" * 5_000])) == TABLE


@kinds
def test_a_decompression_bomb_is_unusable_and_takes_little_memory(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "UNPACKED_BYTES", 100 << 20)
    packer = zlib.compressobj(wbits=31) if kind == "gzip" else zstandard.ZstdCompressor().compressobj()
    line = b"0,0\n" * (1 << 18)
    bomb = b"".join(packer.compress(line) for _ in range(300)) + packer.flush()
    tracemalloc.start()
    try:
        assert "decompression bomb" in why_unusable([bomb])
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()
