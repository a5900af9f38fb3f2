"""What a table as a whole must hold, whichever rows a run wrote: one row a key, enough rows, not many fewer."""

import math

from expectations.verdict import Finding
from millrace.contract.source import Source


def whole_table(source: Source, *, rows: int, rows_before: int, repeated: int) -> list[Finding]:
    """Judge counts of a table.

    Args:
        rows: Rows that it would hold.
        rows_before: Rows of the published table.
        repeated: Rows beyond one a key.
    """
    quality = source.quality
    found = [
        Finding("unique:row_key", None, f"{repeated} rows too many", "one row a key", repeated == 0),
        _at_least("rows:min_rows", rows, quality.min_rows),
    ]
    if rows_before:
        kept = math.ceil(rows_before * (1 - quality.max_row_count_drop))
        found.append(_at_least("rows:max_row_count_drop", rows, kept))
    return found


def _at_least(rule: str, rows: int, limit: int) -> Finding:
    return Finding(rule, None, rows, f"≥ {limit}", rows >= limit)
