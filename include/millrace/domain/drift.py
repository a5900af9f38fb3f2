"""Drift: whether rows are spread as those of a reference were, told by PSI against a threshold found by simulation.

The reference is one column of `domain.reference`: fixed bins, so a window costs one count a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millrace.domain.features import Columns, Floats

Counts = NDArray[np.int64]

SMOOTHING = 0.5
"""Added to each bin: an empty one would make the score infinite."""
FALSE_ALARMS = 0.005
"""How often a window of unchanged rows is told as drifted in any of its columns."""
DRAWS = 4_000


@dataclass(frozen=True)
class ColumnDrift:
    """One column of a window. Shares are of all rows, bin by bin, as `bin_names` names them."""

    column: str
    score: float
    """PSI; 0 where both are spread alike."""
    threshold: float
    drifted: bool
    bins: tuple[str, ...]
    before: tuple[float, ...]
    now: tuple[float, ...]


def counts_of(reference: Mapping[str, Any]) -> Counts:
    """The reference's own counts: its bins (or levels), what is in none of them, the missing ones."""
    if "levels" in reference:
        return np.array([*reference["levels"].values(), reference["other"], reference["missing"]], dtype=np.int64)
    return np.array([*reference["counts"], 0, reference["missing"]], dtype=np.int64)


def counts_in(reference: Mapping[str, Any], values: NDArray[Any]) -> Counts:
    """How many values fall into each bin of the reference; the last two are unseen (a new level, ±inf) and missing."""
    if "levels" in reference:
        place = {level: position for position, level in enumerate(reference["levels"])}
        size, unseen = len(place) + 2, len(place)
        at = [unseen + 1 if v is None or v != v else place.get(str(v), unseen) for v in values.tolist()]  # noqa: PLR0124 -- NaN
        return np.bincount(np.array(at, dtype=np.int64), minlength=size)
    edges, size = np.array(reference["edges"], dtype=np.float64), len(reference["counts"]) + 2
    numbers = values.astype(np.float64)
    at_bin = np.searchsorted(edges, numbers, side="right")
    at_bin = np.where(np.isinf(numbers), size - 2, at_bin)
    return np.bincount(np.where(np.isnan(numbers), size - 1, at_bin), minlength=size)


def bin_names(reference: Mapping[str, Any]) -> tuple[str, ...]:
    """The bins in the order of the counts, in words."""
    if "levels" in reference:
        return (*reference["levels"], "unseen", "missing")
    ends = [f"{edge:.4g}" for edge in reference["edges"]]
    if not ends:
        return ("any", "unseen", "missing")
    between = [f"{low} to {high}" for low, high in pairwise(ends)]
    return (f"below {ends[0]}", *between, f"{ends[-1]} and above", "unseen", "missing")


def psi(before: NDArray[Any], now: NDArray[Any]) -> Floats:
    """Population stability index: the sum of (q − p) · ln(q / p) over the bins (the last axis), smoothed."""
    p, q = _shares(before), _shares(now)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1), dtype=np.float64)


def thresholds(references: Sequence[Counts], rows: int, *, seed: int) -> list[float]:
    """For each column, the score that unchanged rows exceed in any column once in 1 / FALSE_ALARMS windows.

    Windows of `rows` rows *and* references are drawn from the reference's spread, because both are samples. Each
    column's scores are measured by their own quantile; the same quantile of the largest of them over all columns then
    corrects for looking at many (Westfall and Young's max-statistic, with columns taken as independent: dependent
    ones alarm less).
    """
    chance = np.random.default_rng(seed)
    unchanged, own = [], []
    for counts in references:
        spread = _shares(counts)
        reference = chance.multinomial(int(counts.sum()), spread, size=DRAWS)
        scores = psi(reference, chance.multinomial(rows, spread, size=DRAWS))
        unchanged.append(scores)
        own.append(max(float(np.quantile(scores, 1 - FALSE_ALARMS)), np.finfo(np.float64).tiny))
    if not own:
        return []
    largest = np.max([scores / limit for scores, limit in zip(unchanged, own, strict=True)], axis=0)
    correction = max(1.0, float(np.quantile(largest, 1 - FALSE_ALARMS)))
    return [limit * correction for limit in own]


def drift(reference: Mapping[str, Any], window: Columns, *, seed: int) -> tuple[ColumnDrift, ...]:
    """Compare a window with a reference (`domain.reference`), column by column, the most moved first.

    Args:
        window: The values of each column of the reference; as many in each, and at least one.
    """
    known: dict[str, Any] = {name: told for name, told in reference["columns"].items() if name in window}
    before = [counts_of(told) for told in known.values()]
    now = [counts_in(told, window[name]) for name, told in known.items()]
    limits = thresholds(before, int(now[0].sum()), seed=seed) if now else []
    found = []
    for name, p, q, limit in zip(known, before, now, limits, strict=True):
        score = float(psi(p, q))
        shares = (tuple((counts / max(1, counts.sum())).tolist()) for counts in (p, q))
        found.append(ColumnDrift(name, score, limit, score > limit, bin_names(known[name]), *shares))
    return tuple(sorted(found, key=lambda one: -one.score / one.threshold))


def _shares(counts: NDArray[Any]) -> Floats:
    smoothed = counts + SMOOTHING
    return np.asarray(smoothed / smoothed.sum(axis=-1, keepdims=True), dtype=np.float64)
