"""Reading a file that no contract describes yet: all of it, or evenly spread parts of a large one."""

import codecs
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from millrace.contract.errors import MillraceError
from millrace.contract.source import BLANKS
from millrace.domain.profiling.dialect import Dialect, UnreadableFileError, find_dialect, find_encoding
from millrace.domain.profiling.texts import TextColumn
from millrace.domain.raw_rows import UnusableFileError
from millrace.domain.unpacking import unpacked

MOST_ROWS, MOST_CELLS = 1_000_000, 20_000_000
"""How much of a file is kept in memory to be looked at; of larger ones every second part is, or every fourth …"""
_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 1 << 18
BLOCK_BYTES = 1 << 21


@dataclass(frozen=True)
class UnseenFile:
    """A file: its dialect, and its columns as texts."""

    dialect: Dialect
    table: pa.Table
    total_rows: int
    ragged_rows: int
    """Rows with another number of fields than the header, left out."""

    def column(self, place: int) -> TextColumn:
        """The texts of the column at a place of the header."""
        texts = self.table.column(place)
        if self.dialect.trim:
            texts = pc.utf8_trim(texts, characters=BLANKS)
        coded = texts.combine_chunks().dictionary_encode()
        coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
        return TextColumn(coded.dictionary.to_pylist(), np.asarray(coded.indices, dtype=np.int32))


def read_unseen_file(file: Path) -> UnseenFile:
    """Read a CSV file (also packed by gzip or Zstandard) or a Parquet file.

    Raises:
        MillraceError: If it cannot be read as one; it says why, and what to do.
    """
    if not file.is_file():
        found = "a folder" if file.is_dir() else "no such file"
        raise _unreadable(file, found, "name a CSV or Parquet file, or say --database for a table")
    try:
        with file.open("rb") as opened:
            parquet = opened.read(4) == b"PAR1"
        read = _read_parquet(file) if parquet else _read_csv(file)
    except UnreadableFileError as error:
        raise _unreadable(file, str(error), error.fix) from error
    except UnusableFileError as error:
        raise _unreadable(file, str(error), "mend the file") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, str(error).splitlines()[0][:300], "mend the file") from error
    if not read.table.num_rows and read.ragged_rows:
        found = f"none of its {read.ragged_rows:,} rows has as many fields as the header"
        raise _unreadable(file, found, "look for a quote that is never closed, or a first line that is no header")
    if not read.table.num_rows:
        raise _unreadable(file, "a header and no row", "name a file with rows")
    return read


def _read_csv(file: Path) -> UnseenFile:
    encoding = find_encoding(_chunks(file))
    head = b""
    chunks = _chunks(file)
    for chunk in chunks:
        head += chunk
        if len(head) >= _HEAD_BYTES:
            break
    dialect = find_dialect(head[:_HEAD_BYTES], encoding, whole=len(head) < _HEAD_BYTES)
    twice = [word for word, times in Counter(dialect.header).items() if times > 1]
    if twice:
        told = ", ".join(repr(word) for word in twice[:5])
        raise UnreadableFileError(f"its header names {told} more than once", "give each column a name of its own")
    ragged = 0

    def count(_row: pacsv.InvalidRow) -> str:
        nonlocal ragged
        ragged += 1
        return "skip"

    names = [f"c{place}" for place in range(len(dialect.header))]
    lines = 1 + sum(word.count("\n") for word in dialect.header)
    reader = pacsv.open_csv(
        pa.PythonFile(_Utf8(_chunks(file), encoding), mode="r"),
        read_options=pacsv.ReadOptions(column_names=names, skip_rows=lines, block_size=BLOCK_BYTES, use_threads=False),
        parse_options=pacsv.ParseOptions(
            delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=count
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, null_values=[]
        ),
    )
    table, total = _spread(iter(partial(_next_batch, reader), None), len(names))
    return UnseenFile(dialect, table, total, ragged)


def _read_parquet(file: Path) -> UnseenFile:
    opened = pq.ParquetFile(file)
    fields = [field for field in opened.schema_arrow if not pa.types.is_nested(field.type)]
    names = [field.name for field in fields]
    if len(names) < 2:
        raise UnreadableFileError("it holds one column", "name a file with a label and something to predict it from")
    batches = (
        pa.record_batch([_as_text(column) for column in batch.columns], names=[f"c{n}" for n in range(len(names))])
        for batch in opened.iter_batches(batch_size=64_000, columns=names)
    )
    table, total = _spread(batches, len(names))
    return UnseenFile(Dialect(tuple(names), format="parquet"), table, total, 0)


def _as_text(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _as_text(column.dictionary_decode())
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", "UTC" if kind.tz else None), safe=False)
    return pc.fill_null(column.cast(pa.string()), "")


def _spread(batches: Iterator[pa.RecordBatch], columns: int) -> tuple[pa.Table, int]:
    """Batches evenly spread over the file, as many as there is room for; and the rows of all."""
    kept: list[pa.RecordBatch] = []
    room, total, every = min(MOST_ROWS, MOST_CELLS // columns), 0, 1
    for number, batch in enumerate(batches):
        total += batch.num_rows
        if number % every == 0:
            kept.append(batch)
        if sum(map(len, kept)) > room and len(kept) > 1:
            kept, every = kept[::2], 2 * every
    nothing = pa.table({f"c{place}": pa.array([], pa.string()) for place in range(columns)})
    return pa.Table.from_batches(kept) if kept else nothing, total


def _chunks(file: Path) -> Iterator[bytes]:
    def raw() -> Iterator[bytes]:
        with file.open("rb") as opened:
            yield from iter(partial(opened.read, _CHUNK_BYTES), b"")

    return iter(unpacked(raw()))


def _next_batch(reader: pacsv.CSVStreamingReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None


class _Utf8(io.RawIOBase):
    """The bytes of a file as UTF-8, to be read by Arrow."""

    def __init__(self, chunks: Iterator[bytes], encoding: str) -> None:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._chunks = chunks if encoding == "utf-8" else (decoder.decode(chunk).encode() for chunk in chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size or size < 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        size = len(self._rest) if size < 0 else size
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def _unreadable(file: Path, found: str, fix: str) -> MillraceError:
    return MillraceError(
        "The file cannot be read",
        place=str(file),
        found=found,
        expected="a CSV file with a header line, or a Parquet file",
        fix=fix,
    )
