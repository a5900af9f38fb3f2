"""From the names in a file's header to names of columns."""

import re
import unicodedata
from collections.abc import Sequence

from millrace.contract.names import IDENTIFIER, POSTGRES_COLUMNS, RESERVED_COLUMNS

LONGEST = 63
_SPELLED_OUT = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "ł": "l", "Ł": "L", "%": " percent "}
)


def column_names(headers: Sequence[str], label: str) -> list[str]:
    """A valid and distinct column name for each header; the header itself wherever it may be one."""
    found: list[str] = []
    taken: set[str] = set()
    wanted = {header.lower() for header in headers if _as_name(header) == header}
    for header in headers:
        name = _as_name(header) or "column"
        if _reserved(name) or (name.lower() == "label" and header != label) or name.lower() == "event_timestamp":
            name = f"{name}_"
        base, number = name, 2
        # A header that is a name already goes before one that only becomes the same.
        while name.lower() in taken or (name != header and name.lower() in wanted):
            name, number = f"{base[: LONGEST - 4]}_{number}", number + 1
        taken.add(name.lower())
        found.append(name)
    return found


def problem_name(stem: str) -> str:
    """A problem's name from the name of a file."""
    plain = re.sub(r"[^a-z0-9]+", "_", _ascii(stem).lower()).strip("_")
    plain = plain if plain[:1].isalpha() else f"p_{plain}"
    return plain[:40].strip("_")


def is_identifier(name: str) -> bool:
    return IDENTIFIER.fullmatch(name) is not None


def words_of(header: str) -> tuple[str, ...]:
    """The words of a header in lower case: customerName, customer_name and "Customer name" are the same."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", _ascii(header))
    return tuple(re.findall(r"[a-z]+|[0-9]+", split.lower()))


def _as_name(header: str) -> str:
    if re.fullmatch(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST - 1}}}", header):
        return header
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", _ascii(header)).strip("_")
    plain = plain if not plain or plain[0].isalpha() else f"c_{plain}"
    return plain[:LONGEST].strip("_")


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text.translate(_SPELLED_OUT)).encode("ascii", "ignore").decode()


def _reserved(name: str) -> bool:
    return name.lower() in RESERVED_COLUMNS | POSTGRES_COLUMNS
