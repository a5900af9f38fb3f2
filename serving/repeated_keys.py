"""Whether an object of a JSON text holds a key twice: the parser would keep the last value and tell nobody.

Another program may take the first one, so that what was checked there is not what is predicted here. A parser that sees
each key costs three times as much as ours. So what ends a key is counted: a quote and a colon. A text may hold the same
and make the count too large, never too small; where it is not just the number of keys, the careful parser decides.
"""

import json
from collections import Counter
from typing import Any

SPACES = b" \t\n\r"


def repeated_key(text: bytes, parsed: Any) -> str | None:
    """A key that some object of a JSON text holds twice, or None.

    Args:
        text: A valid JSON text.
        parsed: What the parser made of it.
    """
    members = _members(parsed)
    if text.count(b":") == members:
        return None
    # In a time, no colon follows a quote; and with the spaces gone, each key's does.
    if text.translate(None, SPACES).count(b'":') == members:
        return None
    try:
        json.loads(text, object_pairs_hook=_each_once)
    except _TwiceError as twice:
        return str(twice.args[0])
    return None


class _TwiceError(Exception):
    pass


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(key for key, _ in pairs)
        raise _TwiceError(next(key for key, times in counted.items() if times > 1))
    return found


def _members(parsed: Any) -> int:
    """How many members the objects have, without those that lie deeper than a row's; never too many."""
    if not isinstance(parsed, dict):
        return 0
    rows = parsed.get("rows")
    inside = sum(len(row) for row in rows if type(row) is dict) if isinstance(rows, list) else 0
    return len(parsed) + inside
