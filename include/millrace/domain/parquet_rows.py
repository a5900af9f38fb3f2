"""A Parquet file as raw rows: its values as the text that the contract reads, in a stream.

Bronze holds text whatever the format, so that one contract judges both, and a type that turns out to be wrong is
corrected in the contract and not in the files.
"""

import json
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from millrace.contract.source import BLANKS, ColumnType, Source
from millrace.domain.raw_rows import (
    MAX_RAW_CHARACTERS,
    RawFile,
    RawRow,
    UnusableFileError,
    check_header,
    contract_names,
)
from millrace.domain.unpacking import MAX_EXPANSION, UNPACKED_BYTES

_BATCH_ROWS = 10_000
_READ_BYTES = 1 << 20
# What the library says of damage: ValueError, if a name in the schema is no UTF-8.
_DAMAGE = (pa.ArrowException, OSError, ValueError)

_NUMBERS: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
)
_TIMES: tuple[Callable[[pa.DataType], bool], ...] = (pa.types.is_timestamp, pa.types.is_date)
_FITS: dict[ColumnType, tuple[Callable[[pa.DataType], bool], ...]] = {
    # No floats: an identifier that became one has lost its digits, or will at 1e+15.
    "string": (pa.types.is_integer, pa.types.is_decimal, *_TIMES),
    "integer": _NUMBERS,
    "number": _NUMBERS,
    "boolean": (pa.types.is_boolean, pa.types.is_integer),
    "timestamp": _TIMES,
}
"""Types of Parquet that fit each type of the contract. Text fits every type: then each row is judged, as in CSV."""


def open_parquet(file: BinaryIO, source: Source) -> RawFile:
    """Read the schema of a file; the rows follow as they are taken.

    Args:
        file: The file, open at its beginning; it stays open until the rows are taken.

    Raises:
        UnusableFileError: Here, if it is no whole Parquet file, lacks a column, names one twice, or has one of a type
            that does not fit the contract's. While rows are taken, if a part of it is damaged.
    """
    opened, schema = _opened(file)
    words = tuple(word.strip(BLANKS) for word in schema.names) if source.trim else tuple(schema.names)
    check_header(words, source)
    header = contract_names(words, source)
    wanted = {name: column.type for name, column in source.columns.items()}
    wrong = [
        f"{word} is {field.type}, and the contract says {wanted[name]}"
        for word, name, field in zip(words, header, schema, strict=True)
        if name in wanted and not _fits(field.type, wanted[name])
    ]
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise UnusableFileError("; ".join(wrong[:5]) + more)
    # A column that the contract does not name is kept if it can be said as text.
    fields = zip(schema.names, header, schema, strict=True)
    kept = [(word, name) for word, name, field in fields if name in wanted or _sayable(field.type)]
    rows = _rows(opened, [word for word, _ in kept], [wanted.get(name) for _, name in kept])
    return RawFile(tuple(name for _, name in kept), rows)


def _opened(file: BinaryIO) -> tuple[pq.ParquetFile, pa.Schema]:
    size = file.seek(0, 2)
    if size == 0:
        raise UnusableFileError("the file is empty")
    try:
        opened = pq.ParquetFile(file, buffer_size=_READ_BYTES)
        schema = opened.schema_arrow
        words = schema.names
        told = opened.metadata
        groups = sum(told.row_group(number).total_byte_size for number in range(told.num_row_groups))
    except _DAMAGE as error:
        raise UnusableFileError(f"it is no whole Parquet file ({_first_line(error)})") from error
    unpacks_to = max(groups, told.num_rows * len(words))
    if unpacks_to > UNPACKED_BYTES and unpacks_to > MAX_EXPANSION * size:
        raise UnusableFileError(
            f"its {size:,} bytes unpack to {unpacks_to:,}: no table does, but a decompression bomb;"
            " land it as several files if it is one"
        )
    return opened, schema


def _rows(opened: pq.ParquetFile, columns: list[str], kinds: list[ColumnType | None]) -> Iterator[RawRow]:
    number = 0
    batches = opened.iter_batches(batch_size=_BATCH_ROWS, columns=columns)
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)
            texts = [_text(column, kind) for column, kind in zip(batch.columns, kinds, strict=True)]
        except _DAMAGE as error:
            raise UnusableFileError(f"it is damaged after data row {number:,} ({_first_line(error)})") from error
        with_nul = any(pc.any(pc.match_substring(text, "\0")).as_py() for text in texts)
        for values in zip(*(text.to_pylist() for text in texts), strict=True):
            number += 1
            if with_nul and any(value and "\0" in value for value in values):
                raw = json.dumps(dict(zip(columns, values, strict=True)), ensure_ascii=False)[:MAX_RAW_CHARACTERS]
                yield RawRow(number, None, "a NUL character, which no text column can hold", raw)
            else:
                yield RawRow(number, values)


def _text(column: pa.Array, wanted: ColumnType | None) -> pa.Array:
    """The values as the text that the contract's patterns read; a null stays one."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _text(column.dictionary_decode(), wanted)
    if pa.types.is_timestamp(kind):
        # Finer than microseconds is cut: no column of the lake holds it. A time of a zone is told in UTC.
        column = column.cast(pa.timestamp("us", "UTC" if kind.tz else None), safe=False)
    elif pa.types.is_decimal(kind):
        column = pa.array([None if value is None else f"{value:f}" for value in column.to_pylist()], pa.string())
    elif pa.types.is_floating(kind) and wanted == "integer":
        # Whole numbers beside missing values are floats in many files.
        column = pa.array([None if value is None else _whole(value) for value in column.to_pylist()], pa.string())
    return column.cast(pa.string())


def _whole(value: float) -> str:
    return f"{value:.1f}" if value.is_integer() else repr(value)


def _sayable(kind: pa.DataType) -> bool:
    return any(_fits(kind, wanted) for wanted in _FITS)


def _fits(kind: pa.DataType, wanted: ColumnType) -> bool:
    if pa.types.is_dictionary(kind):
        return _fits(kind.value_type, wanted)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return is_text or pa.types.is_null(kind) or any(fits(kind) for fits in _FITS[wanted])


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
