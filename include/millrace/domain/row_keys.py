"""The key of a row as the lake spells it, from the values of its primary key."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from millrace.contract.source import Scalar, Source


def row_key(source: Source, parts: Sequence[Scalar | datetime]) -> str:
    """A JSON array of text, as `spark_jobs.transforms.identity` writes it; its SHA-256 where a part is sensitive.

    Args:
        parts: One value for each column of the source's primary key, in its order.
    """
    said = [_said(part) for part in parts]
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    if any(source.columns[name].sensitive for name in source.primary_key):
        return hashlib.sha256(text.encode()).hexdigest()
    return text


def _said(part: Scalar | datetime) -> str:
    if isinstance(part, bool):
        return "true" if part else "false"
    return _said_by_spark(part) if isinstance(part, datetime) else str(part)


def _said_by_spark(time: datetime) -> str:
    """As Spark casts a time to text in a session of UTC: a fraction only where there is one, without its last zeros."""
    told = time.astimezone(UTC) if time.tzinfo else time
    fraction = f".{told.microsecond:06d}".rstrip("0") if told.microsecond else ""
    return f"{told:%Y-%m-%d %H:%M:%S}{fraction}"
