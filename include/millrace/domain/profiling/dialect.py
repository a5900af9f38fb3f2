"""How a CSV file is written: encoding, delimiter, blanks, decimal sign; from its first bytes."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from millrace.contract.source import BLANKS

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_RECORDS = 500
_PADDED_SHARE = 0.01
_COMMA_NUMBER = re.compile(r"[+-]?[0-9]+,[0-9]+")
_POINT_NUMBER = re.compile(r"[+-]?[0-9]+\.[0-9]+")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
DATE = re.compile(r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4})(|[ T].*)")
"""31.1.2026 and 1/31/2026 9:05, as `dates` of the contract knows them; the rest is a time."""

Encoding = Literal["utf-8", "utf-16", "cp1252", "latin-1"]
"""utf-16 begins with a byte order mark, so the contract need not tell it."""


class UnreadableFileError(Exception):
    """The file is no CSV file that Millrace could read; its text says why, its note what to do."""

    def __init__(self, why: str, fix: str) -> None:
        self.fix = fix
        super().__init__(why)


@dataclass(frozen=True)
class Dialect:
    """How the file is written, in the words of the contract."""

    header: tuple[str, ...]
    encoding: Encoding = "utf-8"
    delimiter: str = ","
    trim: bool = False
    decimal: Literal[".", ","] = "."
    dates: Literal["iso", "day_first", "month_first"] = "iso"
    format: Literal["csv", "parquet"] = "csv"


def find_encoding(chunks: Iterable[bytes]) -> Encoding:
    """The first encoding of the contract in which every byte of the file means something.

    Raises:
        UnreadableFileError: If the bytes are no text at all.
    """
    utf8, cp1252 = codecs.getincrementaldecoder("utf-8")(), codecs.getincrementaldecoder("cp1252")()
    is_utf8 = is_cp1252 = True
    for number, chunk in enumerate(chunks):
        if number == 0 and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if number == 0 and b"\0" in chunk:
            raise UnreadableFileError("the file holds NUL bytes, as only binary files do", "name a CSV or Parquet file")
        is_utf8 = is_utf8 and _decodes(utf8, chunk)
        is_cp1252 = is_cp1252 and _decodes(cp1252, chunk)
    return "utf-8" if is_utf8 else "cp1252" if is_cp1252 else "latin-1"


def find_dialect(head: bytes, encoding: Encoding, *, whole: bool) -> Dialect:
    """How the file is written.

    Args:
        head: Its first bytes.
        whole: Whether that is all of it; otherwise the last line may be cut, and is left out.

    Raises:
        UnreadableFileError: If there is no header, or one column only.
    """
    text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
    if not whole and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    if not text.strip():
        raise UnreadableFileError("the file is empty", "name a file with a header line and rows")
    delimiter = max(DELIMITERS, key=lambda sign: _fit(_records(text, sign)))
    records = _records(text, delimiter, keep_blanks=True)
    header, body = records[0], records[1:]
    if len(header) < 2:
        told = "one column" if len(records) > 1 else "one line of one column"
        raise UnreadableFileError(f"it holds {told}", "name a file with a label and something to predict it from")
    trim = _padded(records)
    if trim:
        header = [word.strip(BLANKS) for word in header]
        body = [[word.strip(BLANKS) for word in record] for record in body]
    if not any(_NUMBER.fullmatch(word) is None for word in header):
        fix = "write the names of the columns above them, or describe the file by hand, with has_header: false"
        raise UnreadableFileError("its first line holds numbers only", fix)
    columns = [[record[n] for record in body if len(record) == len(header) and record[n]] for n in range(len(header))]
    return Dialect(tuple(header), encoding, delimiter, trim, _decimal(columns), _dates(columns))


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _records(text: str, delimiter: str, *, keep_blanks: bool = False) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=not keep_blanks)
    found = []
    try:
        for record in reader:
            if record:
                found.append(record)
            if len(found) > SAMPLE_RECORDS:
                break
    except csv.Error:
        pass  # a field too long for the reader: what came before says enough
    return found or [[text.splitlines()[0]]]


def _fit(records: list[list[str]]) -> tuple[float, int]:
    """Share of records as wide as the header, then its width; a single column fits everything and so nothing."""
    width = len(records[0])
    same = sum(len(record) == width for record in records) / len(records)
    return (round(same, 2) if width > 1 else 0.0, width)


def _padded(records: list[list[str]]) -> bool:
    words = [word for record in records for word in record]
    return sum(word != word.strip(BLANKS) for word in words) > _PADDED_SHARE * len(words)


def _decimal(columns: list[list[str]]) -> Literal[".", ","]:
    """ "," where some column writes fractions with a comma and none does with a point."""
    signs: Counter[str] = Counter()
    for values in columns:
        numbers = sum(_NUMBER.fullmatch(value) is not None for value in values)
        if values and numbers >= 0.9 * len(values):
            signs[","] += any(_COMMA_NUMBER.fullmatch(value) for value in values)
            signs["."] += any(_POINT_NUMBER.fullmatch(value) for value in values)
    return "," if signs[","] and not signs["."] else "."


def _dates(columns: list[list[str]]) -> Literal["iso", "day_first", "month_first"]:
    """day_first where some column holds such dates, unless a date of one has no day: 1/31/2026."""
    found = [date for values in columns if (dates := _written_dates(values)) for date in dates]
    if not found:
        return "iso"
    second = max(int(date[3]) for date in found)
    return "month_first" if second > 12 and not any(int(date[1]) > 12 for date in found) else "day_first"


def _written_dates(values: list[str]) -> list[re.Match[str]]:
    dates = [found for value in values if (found := DATE.fullmatch(value))]
    return dates if len(dates) >= 0.9 * len(values) else []
