"""The common shape of words such as keys: C0000001 and C0000002 are `C[0-9]{7}`."""

import re
from collections.abc import Sequence
from itertools import groupby

from millrace.domain.profiling.matching import Pattern

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ANY = Pattern(r"[A-Za-z0-9 _./:#+@-]+")
_LOOKED_AT = 2_000
_LEAST_VALUES = 20
_MOST_RUNS = 6


def common_pattern(values: Sequence[str]) -> str | None:
    """A regular expression that every value matches and that says something; None where there is none.

    Runs of digits, small and capital letters count; other characters stand for themselves.
    """
    if len(values) < _LEAST_VALUES or not _ANY.matches_all(values):
        return None
    if Pattern(_UUID).matches_all(values):
        return _UUID
    found = _shape(values[:: max(1, len(values) // _LOOKED_AT)])
    return found if found and Pattern(found).matches_all(values) else None


def _shape(values: Sequence[str]) -> str | None:
    shape = _runs(values[0])
    if not 0 < len(shape) <= _MOST_RUNS or all(kind == "[A-Za-z]" for kind, _ in shape):
        return None
    runs = [[run] for _, run in shape]
    for value in values[1:]:
        found = _runs(value)
        if [kind for kind, _ in found] != [kind for kind, _ in shape]:
            return None
        for place, (_, run) in enumerate(found):
            runs[place].append(run)
    return "".join(_told(kind, texts) for (kind, _), texts in zip(shape, runs, strict=True))


def _runs(value: str) -> list[tuple[str, str]]:
    return [(kind, "".join(run)) for kind, run in groupby(value, key=_kind)]


def _kind(character: str) -> str:
    if "0" <= character <= "9":
        return "[0-9]"
    return "[A-Za-z]" if character.isascii() and character.isalpha() else re.escape(character)


def _told(kind: str, runs: list[str]) -> str:
    distinct = set(runs)
    if len(distinct) == 1 and kind != "[0-9]":
        return re.escape(runs[0])
    lengths = sorted({len(run) for run in runs})
    return f"{kind}{{{lengths[0]}}}" if len(lengths) == 1 else f"{kind}{{{lengths[0]},{lengths[-1]}}}"
