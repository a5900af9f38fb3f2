"""Rows of a table → one Parquet file in the landing bucket: there as a whole, or not at all."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from io import RawIOBase

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from millrace.adapters.new_object import new_object
from millrace.adapters.source_table import Reading
from millrace.contract.errors import MillraceError
from millrace.domain.extraction import Extracted, Watermark
from millrace.domain.table_columns import TableColumn, file_type
from millrace.settings import get_settings

BLOCK_BYTES = 8 << 20
"""So much text is in memory at once, and what becomes of it; a value may be no longer."""


def land(reading: Reading, begin: Watermark | None, schema: pa.Schema, extracted: Extracted) -> None:
    """Write the rows from a watermark on, as they come.

    Args:
        schema: The columns of the file, in the order of the reading's.

    Raises:
        ObjectExistsError: If another attempt landed a file of this number first; nothing is written then.
        MillraceError: If the rows are not as many as were counted in the same snapshot, or one is too long.
    """
    with new_object(get_settings().landing_bucket, extracted.path, asdict(extracted)) as file:
        try:
            rows = _write(file, reading.stream(begin), schema)
        except pa.ArrowInvalid as error:
            raise _unwritable(extracted, str(error).splitlines()[0]) from error
        if rows != extracted.rows:
            raise _unwritable(extracted, f"{rows:,} rows came, and {extracted.rows:,} were counted")


def schema_of(chosen: Mapping[str, TableColumn], headers: Mapping[str, str]) -> pa.Schema:
    """The columns of a file, called as the contract's files call them."""
    return pa.schema([(headers[name], file_type(column)) for name, column in chosen.items()])


def _write(file: RawIOBase, pieces: Iterator[bytes], schema: pa.Schema) -> int:
    reader = pacsv.open_csv(
        pa.PythonFile(_Pieces(pieces), mode="r"),
        # A thread of its own would read on after an error, from a connection that is not its own.
        read_options=pacsv.ReadOptions(column_names=schema.names, block_size=BLOCK_BYTES, use_threads=False),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    rows = 0
    with pq.ParquetWriter(pa.PythonFile(file, mode="w"), schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


class _Pieces(RawIOBase):
    """Bytes that come in pieces, to be read by Arrow."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        gathered, length = [self._rest], len(self._rest)
        while length < size or size < 0:
            piece = next(self._pieces, None)
            if piece is None:
                break
            gathered.append(piece)
            length += len(piece)
        whole = b"".join(gathered)
        size = length if size < 0 else size
        given, self._rest = whole[:size], whole[size:]
        return given


def _unwritable(extracted: Extracted, found: str) -> MillraceError:
    return MillraceError(
        "The rows of the table could not be written",
        place=f"bucket {get_settings().landing_bucket}, {extracted.path}",
        found=found,
        expected=f"{extracted.rows:,} rows, none of which has a value of {BLOCK_BYTES >> 20} MiB",
        fix="nothing was landed: if a value is that long, take its column out of the contract; or start extract again",
    )
