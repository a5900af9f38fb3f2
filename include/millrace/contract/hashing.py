"""Hashes of a contract: of what decides which rows there are and what stands in them, never of words for people."""

import hashlib
import json
from collections.abc import Mapping

from millrace.contract.source import Column, Source


def digest(told: Mapping[str, object]) -> str:
    """SHA-256 of JSON, 16 hex digits."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def deciding(source: Source) -> dict[str, object]:
    """What of a source decides its rows."""
    # Words for people, and where files land, change no row.
    told = source.model_dump(mode="json", exclude={"landing", "quality", "encoding", "has_header"})
    for later in ("trim", "decimal", "dates"):
        # Keys that came later: the hash of a source that does not use them is what it was.
        if told[later] == Source.model_fields[later].default:
            del told[later]
    told["columns"] = {name: _deciding_column(column) for name, column in source.columns.items()}
    return told


def _deciding_column(column: Column) -> dict[str, object]:
    told = column.model_dump(mode="json", exclude={"description", "unit", "available", "header", "optional"})
    # Rows of bronze are looked up under the header, too; a key that came later and is not used changes no hash.
    return told if column.header is None else {**told, "header": column.header}
