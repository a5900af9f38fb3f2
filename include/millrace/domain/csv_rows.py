"""A CSV file as raw rows, read strictly and in a stream.

A lenient reader turns bad bytes, short rows and lost quotes into rows that look valid. Here a row with the wrong number
of fields says so, and a file that cannot be trusted as a whole says why.
"""

import codecs
import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain

from millrace.contract.source import BLANKS, Source

MAX_RAW_CHARACTERS = 10_000
"""How much of the text of a malformed row is kept."""
_MAX_LINE_CHARACTERS = 1 << 24


class UnusableFileError(Exception):
    """The file as a whole cannot be trusted; its text says why, for a person."""


@dataclass(frozen=True)
class RawRow:
    """A data row: its number from 1, and either its values in the header's order or why it has none, and its text."""

    number: int
    values: tuple[str, ...] | None
    malformed: str | None = None
    raw: str | None = None


@dataclass(frozen=True)
class CsvFile:
    """The header of a file, in the contract's names, and its rows, read as they are taken (and so only once)."""

    header: tuple[str, ...]
    rows: Iterator[RawRow]


def open_csv(chunks: Iterable[bytes], source: Source) -> CsvFile:
    """Read the header of a file; the rows follow as they are taken.

    Args:
        chunks: The bytes of the file, cut anywhere.

    Raises:
        UnusableFileError: Here, if there is no header or it lacks a column or names one twice. While rows are taken, if
            the bytes are not of the source's encoding, a quote is not closed, or the file ends in the middle of a row.
    """
    line_text: list[str] = []
    lines = _noted(_lines(_text(chunks, source.encoding)), line_text)
    # Blanks before a quote would make it a part of the value.
    reader = csv.reader(lines, delimiter=source.delimiter, strict=True, skipinitialspace=source.trim)
    # Why a file is set aside stands in logs and in bronze's markers; where a column is sensitive, no text of it does.
    private = any(column.sensitive for column in source.columns.values())
    records = _records(reader, line_text, quote_text=not private)
    header = next(records, None)
    if header is None:
        raise UnusableFileError("the file is empty")
    columns = tuple(word.strip(BLANKS) for word in header[0]) if source.trim else tuple(header[0])
    _check_header(columns, source)
    return CsvFile(_contract_names(columns, source), _rows(records, len(columns)))


def key_assigner(header: tuple[str, ...], source: Source) -> Callable[[tuple[str, ...]], str] | None:
    """A function that gives each row of one file its key, taken in the file's order; None if the file has its own.

    The key is the SHA-256 of the row's declared fields, whatever the order of columns and whatever other columns the
    file has, and how many equal rows the file has had so far: two equal rows are two rows, and the same file under
    another name holds the same rows. It remembers each distinct row of the file, at about 150 bytes each.
    """
    # A source may have no key of its own at all; the empty set is within every header.
    has_its_key = bool(source.primary_key) and set(source.primary_key) <= set(header)
    if source.assigned_key is None or has_its_key:
        return None
    names = sorted(name for name in header if name in source.columns)
    order = [header.index(name) for name in names]
    seen: Counter[bytes] = Counter()

    def assign(values: tuple[str, ...]) -> str:
        fields = list(zip(names, (values[position] for position in order), strict=True))
        digest = hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode())
        seen[digest.digest()] += 1
        return f"{digest.hexdigest()}:{seen[digest.digest()]}"

    return assign


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


def _contract_names(header: tuple[str, ...], source: Source) -> tuple[str, ...]:
    """The header with the contract's name of each column; a column that the contract does not name keeps its own."""
    names = {source.header_of(name): name for name in source.columns}
    # A column that is ignored must not pass for one that is called otherwise in the file.
    return tuple(names.get(word, f'"{word}"' if word in source.columns else word) for word in header)


def _check_header(header: tuple[str, ...], source: Source) -> None:
    known = {source.header_of(name): name for name in source.columns}
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        # A file without a header shows its first row here, so only names of the contract are told.
        private = any(column.sensitive for column in source.columns.values())
        told = [name for name in twice if name in known or not private]
        raise UnusableFileError(f"the header names {', '.join(told) or 'a column'} more than once")
    missing = [word for word, name in known.items() if word not in header and name not in source.optional_in_file()]
    if missing:
        extra = [word for word in header if word not in known]
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise UnusableFileError(f"the header lacks {', '.join(_with_hint(name, extra) for name in missing[:5])}{more}")


def _with_hint(name: str, extra: list[str]) -> str:
    folded = {word.strip().lower(): word for word in extra}
    close = get_close_matches(name.lower(), list(folded), n=1, cutoff=0.75)
    return f'{name} (is it "{folded[close[0]]}"?)' if close else name
