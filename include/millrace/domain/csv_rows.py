"""A CSV file as raw rows, read strictly and in a stream.

A lenient reader turns bad bytes, short rows and lost quotes into rows that look valid. Here a row with the wrong number
of fields says so, and a file that cannot be trusted as a whole says why.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain

from millrace.contract.source import BLANKS, Source
from millrace.domain.raw_rows import (
    MAX_RAW_CHARACTERS,
    RawFile,
    RawRow,
    UnusableFileError,
    check_header,
    contract_names,
    unnamed_columns,
)
from millrace.domain.unpacking import peeked

_MAX_LINE_CHARACTERS = 1 << 24
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""Byte order marks: a file that begins with one says its encoding itself."""
_NO_TEXT = {
    b"PAR1\x15": "a Parquet file, and the source's format is csv",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: land the tables in it as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: land its tables as CSV",
    b"\xfd7zXZ\x00": "packed by xz: land it unpacked, or as gzip or Zstandard",
    b"BZh91AY&SY": "packed by bzip2: land it unpacked, or as gzip or Zstandard",
}
"""First bytes → what a file is that is no text."""


def open_csv(chunks: Iterable[bytes], source: Source) -> RawFile:
    """Read the header of a file; the rows follow as they are taken.

    Args:
        chunks: The bytes of the file, not compressed, cut anywhere.

    Raises:
        UnusableFileError: Here, if it is no text, or there is no header or it lacks a column or names one twice. While
            rows are taken, if the bytes are not of the encoding, a quote is not closed, or the file ends in the middle
            of a row.
    """
    line_text: list[str] = []
    start, chunks = peeked(chunks, 16)
    for magic, told in _NO_TEXT.items():
        if start.startswith(magic):
            raise UnusableFileError(f"it is {told}")
    encoding = next((name for mark, name in _MARKS.items() if start.startswith(mark)), source.encoding)
    lines = _noted(_lines(_text(chunks, encoding)), line_text)
    # Blanks before a quote would make it a part of the value.
    reader = csv.reader(lines, delimiter=source.delimiter, strict=True, skipinitialspace=source.trim)
    # Why a file is set aside stands in logs and in bronze's markers; where a column is sensitive, no text of it does.
    private = any(column.sensitive for column in source.columns.values())
    records = _records(reader, line_text, quote_text=not private)
    first = next(records, None)
    if first is None:
        raise UnusableFileError("the file is empty")
    words = tuple(word.strip(BLANKS) for word in first[0]) if source.trim else tuple(first[0])
    if not source.has_header:
        return RawFile(unnamed_columns(words, source), _rows(chain([first], records), len(words)))
    check_header(words, source)
    return RawFile(contract_names(words, source), _rows(records, len(words)))


def _text(chunks: Iterable[bytes], encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    told = encoding.upper()
    offset, first = 0, True
    for chunk in chain(chunks, [None]):
        waiting = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk or b"", final=chunk is None)
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            position = offset - waiting + error.start
            raise UnusableFileError(
                f"byte {position} (0x{byte:02X}) is not {told}; save the file as {told}, or say the source's encoding"
            ) from error
        offset += len(chunk or b"")
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        yield text


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Lines with their ends, as `open(newline="")` gives them. str.splitlines would cut at more than line ends."""
    rest = ""
    for text in texts:
        *whole, rest = io.StringIO(rest + text, newline="").readlines() or [""]
        yield from whole
        if len(rest) > _MAX_LINE_CHARACTERS:
            raise UnusableFileError(f"a line is longer than {_MAX_LINE_CHARACTERS:,} characters")
    if rest:
        yield rest


def _noted(lines: Iterable[str], noted: list[str]) -> Iterator[str]:
    for line in lines:
        noted.append(line)
        yield line


def _records(reader: Iterator[list[str]], line_text: list[str], *, quote_text: bool) -> Iterator[tuple[list[str], str]]:
    """Records with their text; blank lines are none."""
    number = 0
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            found = f", which begins {''.join(line_text)[:60].rstrip()!r}" if quote_text else ""
            where = f"in data row {number}{found}" if number else "in the header"
            raise UnusableFileError(f"a quote is wrong or never closed {where} ({error})") from error
        if values is None:
            return
        if values:
            number += 1
            yield values, "".join(line_text)
        line_text.clear()


def _rows(records: Iterator[tuple[list[str], str]], width: int) -> Iterator[RawRow]:
    for number, (values, text) in enumerate(records, start=1):
        if len(values) < width and not text.endswith(("\n", "\r")):
            raise UnusableFileError(
                f"the file ends in the middle of data row {number}: expected {width} fields, found {len(values)}"
            )
        if len(values) != width:
            reason = f"expected {width} fields, found {len(values)}"
        elif "\0" in text:
            reason = "a NUL character, which no text column can hold"
        else:
            yield RawRow(number, tuple(values))
            continue
        yield RawRow(number, None, reason, text.rstrip("\r\n")[:MAX_RAW_CHARACTERS])
