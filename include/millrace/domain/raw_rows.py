"""Raw rows of a file, whatever its format: what a row is, why a file cannot be used, and the header's agreement with
the contract."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from millrace.contract.source import Source

MAX_RAW_CHARACTERS = 10_000
"""How much of the text of a malformed row is kept."""
Values = tuple[str | None, ...]
"""The texts of a row in the header's order; None only where a format knows a null beside the empty text."""


class UnusableFileError(Exception):
    """The file as a whole cannot be trusted; its text says why, for a person."""


@dataclass(frozen=True)
class RawRow:
    """A data row: its number from 1, and either its values in the header's order or why it has none, and its text."""

    number: int
    values: Values | None
    malformed: str | None = None
    raw: str | None = None


@dataclass(frozen=True)
class RawFile:
    """The header of a file, in the contract's names, and its rows, read as they are taken (and so only once)."""

    header: tuple[str, ...]
    rows: Iterator[RawRow]


def contract_names(header: tuple[str, ...], source: Source) -> tuple[str, ...]:
    """The header with the contract's name of each column; a column that the contract does not name keeps its own."""
    names = {source.header_of(name): name for name in source.columns}
    # A column that is ignored must not pass for one that is called otherwise in the file.
    return tuple(names.get(word, f'"{word}"' if word in source.columns else word) for word in header)


def check_header(header: tuple[str, ...], source: Source) -> None:
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
        none = "; or has the file no header line? Then say has_header: false" if len(extra) == len(header) else ""
        lacking = ", ".join(_with_hint(name, extra) for name in missing[:5])
        raise UnusableFileError(f"the header lacks {lacking}{more}{none if source.format == 'csv' else ''}")


def unnamed_columns(first_row: tuple[str, ...], source: Source) -> tuple[str, ...]:
    """The columns of a file that has no header: those of the contract in its order, as many as the first row has.

    Raises:
        UnusableFileError: If the first row has another number of fields, or is a header after all.
    """
    every = tuple(source.columns)
    given = tuple(name for name in every if name not in source.optional_in_file())
    columns = next((names for names in (every, given) if len(names) == len(first_row)), None)
    if columns is None:
        widths = " or ".join(map(str, sorted({len(every), len(given)})))
        raise UnusableFileError(f"its first row has {len(first_row)} fields, and a file without a header has {widths}")
    if [word.strip().lower() for word in first_row] == [name.lower() for name in columns]:
        raise UnusableFileError("its first row names the columns, and the source says that files have no header line")
    return columns


def _with_hint(name: str, extra: list[str]) -> str:
    folded = {word.strip().lower(): word for word in extra}
    close = get_close_matches(name.lower(), list(folded), n=1, cutoff=0.75)
    return f'{name} (is it "{folded[close[0]]}"?)' if close else name
