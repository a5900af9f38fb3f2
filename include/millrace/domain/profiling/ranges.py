"""Ranges with slack, and numbers that stand for "no value"."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from millrace.domain.profiling.texts import Floats

SLACK = 0.5
"""How much wider than what was seen a range is, at either end, in parts of what was seen."""
_SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 999.0, 9999.0, 99999.0)


def with_slack(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """A range for values seen between low and high: wider, in round numbers, and never below zero without need."""
    if low >= 0 and high <= 1 and not whole:
        return 0.0, 1.0
    slack = (high - low) * SLACK or max(abs(high), 1.0)
    least = 0.0 if 0 <= low <= slack else _round(low - slack, slack, math.floor)
    if low >= 0:
        least = max(least, 0.0)
    most = _round(high + slack, slack, math.ceil)
    most = 0.0 if high <= 0 < most else most
    return (float(math.floor(least)), float(math.ceil(most))) if whole else (least, most)


def hidden_zero(values: Floats, counts: NDArray[np.int64]) -> float | None:
    """The next smallest value, where zero stands apart from all others, as if it meant "not measured".

    Zero is the smallest value, some rows have it, and the gap above it is wider than the gaps that follow and than a
    twentieth of the median.
    """
    order = np.argsort(values)
    rising, times = values[order], counts[order]
    if len(rising) < 12 or rising[0] != 0 or times[0] < 2:
        return None
    above = rising[1:]
    gaps = np.diff(above[:12])
    middle = float(above[np.searchsorted(np.cumsum(times[1:]), times[1:].sum() / 2)])
    first = float(above[0])
    return first if first > 3 * float(np.median(gaps)) and first > middle / 20 else None


def sentinel(values: Floats, counts: NDArray[np.int64]) -> float | None:
    """A number such as -999 that stands far outside of all others, more than once."""
    if len(values) < 10:
        return None
    for candidate in _SENTINELS:
        place = np.flatnonzero(values == candidate)
        others = values[values != candidate]
        if not len(place) or counts[place[0]] < 2:
            continue
        spread = float(others.max() - others.min())
        outside = candidate < others.min() - spread / 2 or candidate > others.max() + spread / 2
        alone_below_zero = candidate < 0 <= others.min()
        if outside or alone_below_zero:
            return candidate
    return None


def _round(value: float, scale: float, towards: Callable[[float], int]) -> float:
    """The value in steps of half the scale's power of ten."""
    step = 10.0 ** math.floor(math.log10(scale)) / 2 if scale > 0 else 1.0
    return float(f"{towards(value / step) * step:.12g}")
