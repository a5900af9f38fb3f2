"""What a row has that training rows had not: a number beyond theirs, a category that none of them named.

Such a row is answered all the same, and told so: the model speaks there of what it has never seen.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from millrace.contract.source import Scalar

Row = Mapping[str, Scalar | None]
Look = Callable[[Row], list["Unlike"]]


class Unlike(NamedTuple):
    """One value that no training row was like. `expected`: what they had, in words."""

    name: str
    kind: Literal["outside_training_range", "unseen_category"]
    value: Scalar
    expected: str


SHOWN_LEVELS = 10


def compile_look(reference: Mapping[str, Any]) -> Look:
    """A function from one row to what is unlike the training rows, a microsecond or two.

    Args:
        reference: What `domain.reference.reference` told of them. A column without `low` and `high` (a package of an
            earlier version) is not judged, nor is one with more levels than the reference names.
    """
    ranges: list[tuple[str, float, float]] = []
    levels: list[tuple[str, frozenset[str]]] = []
    for name, told in reference["columns"].items():
        if "levels" in told:
            if told["levels"] and not told["other"]:
                levels.append((name, frozenset(told["levels"])))
        elif told.get("low") is not None:
            ranges.append((name, told["low"], told["high"]))

    def look(row: Row) -> list[Unlike]:
        found: list[Unlike] = []
        for name, low, high in ranges:
            value: Any = row.get(name)
            if value is not None and not low <= value <= high:
                found.append(Unlike(name, "outside_training_range", value, f"{low:g} to {high:g}"))
        for name, known in levels:
            word = row.get(name)
            if word is not None and str(word) not in known:
                found.append(Unlike(name, "unseen_category", word, _one_of(known)))
        return found

    return look


def _one_of(known: frozenset[str]) -> str:
    shown = sorted(known)
    more = f" and {len(shown) - SHOWN_LEVELS} more" if len(shown) > SHOWN_LEVELS else ""
    return "one of " + ", ".join(shown[:SHOWN_LEVELS]) + more
