"""Keys for the rows of a file that has none: what a row says, and the how manieth it is to say so."""

import hashlib
import json
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from millrace.contract.source import Source
from millrace.domain.raw_rows import Values

AssignKeys = Callable[[Sequence[Values | None]], list[str | None]]
"""Gives the next rows of a file their keys; a row without values has none."""
# One encoder for all rows: json.dumps would make one for each.
_said = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
_Prefixes = NDArray[np.uint64]


def key_assigner(header: tuple[str, ...], source: Source) -> AssignKeys | None:
    """What gives each row of one file its key, taken in the file's order; None if the file has its own.

    The key is the SHA-256 of the row's declared fields, whatever the order of columns and whatever other columns the
    file has, and how many equal rows the file has had so far: two equal rows are two rows, and the same file under
    another name holds the same rows. It remembers each distinct row of the file, at 8 bytes each.
    """
    # A source may have no key of its own at all; the empty set is within every header.
    has_its_key = bool(source.primary_key) and set(source.primary_key) <= set(header)
    if source.assigned_key is None or has_its_key:
        return None
    names = sorted(name for name in header if name in source.columns)
    order = [header.index(name) for name in names]
    seen = _Seen()

    def assign(rows: Sequence[Values | None]) -> list[str | None]:
        digests = [
            hashlib.sha256(_said([*zip(names, (row[place] for place in order), strict=True)]).encode())
            for row in rows
            if row is not None
        ]
        counts = seen.count([digest.digest()[:8] for digest in digests])
        keys = iter([f"{digest.hexdigest()}:{count}" for digest, count in zip(digests, counts, strict=True)])
        return [None if row is None else next(keys) for row in rows]

    return assign


class _Seen:
    """How often each of many hashes came. Those that came once are in sorted arrays, of which each is at least twice as
    long as the next: 8 bytes a hash, where a dictionary takes 150, and a file may have a hundred million rows.

    Of a hash it knows 8 bytes. Should two rows agree in them, the second is counted as if it were the first again, and
    its key is still its own by its whole hash.
    """

    def __init__(self) -> None:
        self._once: list[_Prefixes] = []
        self._repeated: dict[int, int] = {}

    def count(self, hashes: Sequence[bytes]) -> list[int]:
        """For each of the next hashes, how often it has come, this time included."""
        prefixes = np.frombuffer(b"".join(hashes), dtype=np.uint64)
        new: set[int] = set()
        counts = []
        for prefix, came in zip(prefixes.tolist(), self._came(prefixes).tolist(), strict=True):
            times = self._repeated.get(prefix, int(came or prefix in new)) + 1
            counts.append(times)
            if times > 1:
                self._repeated[prefix] = times
            else:
                new.add(prefix)
        self._remember(np.sort(np.fromiter(new, np.uint64, len(new))))
        return counts

    def _came(self, prefixes: _Prefixes) -> NDArray[np.bool_]:
        came = np.zeros(len(prefixes), dtype=bool)
        for known in self._once:
            at = np.minimum(np.searchsorted(known, prefixes), len(known) - 1)
            came |= known[at] == prefixes
        return came

    def _remember(self, new: _Prefixes) -> None:
        if not len(new):
            return
        self._once.append(new)
        while len(self._once) > 1 and len(self._once[-2]) < 2 * len(self._once[-1]):
            last = self._once.pop()
            merged = np.concatenate([self._once.pop(), last])
            merged.sort(kind="stable")
            self._once.append(merged)
