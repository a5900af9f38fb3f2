"""What a column looks like: a few bars, each with its rows and how many of them are positive."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millrace.domain.profiling.texts import Flags, Floats
from millrace.domain.profiling.words import number

BINS = 24
LEVELS = 12
_TAIL = 0.005


@dataclass(frozen=True)
class Bar:
    """Rows of a value, or of the values between two bounds."""

    words: str
    rows: int
    positives: int


def bars_of_numbers(numbers: Floats, codes: NDArray[np.int32], known: Flags, positive: Flags) -> tuple[Bar, ...]:
    """Up to 24 bars over what nearly all rows say; the half per cent at either end is in the outermost bars.

    Args:
        numbers: The number of each distinct value.
        codes: For each row the place of its value.
        known: Rows that have a value.
        positive: Rows whose label is positive.
    """
    if not len(numbers) or not known.any():
        return ()
    distinct = np.unique(numbers)
    if len(distinct) <= BINS:
        places = np.searchsorted(distinct, numbers)
        return _bars([_short(each) for each in distinct], places[codes[known]], positive[known])
    rising = np.sort(numbers[codes[known]])
    low, high = (float(rising[int(share * (len(rising) - 1))]) for share in (_TAIL, 1 - _TAIL))
    if low == high:
        low, high = float(rising[0]), float(rising[-1])
    edges = np.linspace(low, high, BINS + 1)
    places = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, BINS - 1)
    words = [f"{_short(edges[n])} … {_short(edges[n + 1])}" for n in range(BINS)]
    return _bars(words, places[codes[known]], positive[known])


def bars_of_levels(values: Sequence[str], codes: NDArray[np.int32], known: Flags, positive: Flags) -> tuple[Bar, ...]:
    """The 12 most frequent values, and one bar for all others."""
    counts = np.bincount(codes[known], minlength=len(values))
    order = np.argsort(-counts, kind="stable")
    place = np.minimum(np.argsort(order, kind="stable"), LEVELS)
    shown = int(min(LEVELS, (counts > 0).sum()))
    words = [values[n] for n in order[:shown].tolist()]
    rest = int((counts > 0).sum()) - shown
    return _bars([*words, *([f"{rest} others"] if rest else [])], place[codes[known]], positive[known])


def _short(value: float) -> str:
    return number(float(f"{value:.4g}"))


def _bars(words: Sequence[str], places: NDArray[np.integer], positive: Flags) -> tuple[Bar, ...]:
    rows = np.bincount(places, minlength=len(words)).tolist()
    yes = np.bincount(places[positive], minlength=len(words)).tolist()
    return tuple(Bar(word, rows[n], yes[n]) for n, word in enumerate(words))
