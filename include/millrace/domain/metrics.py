"""Metrics of probabilities, for many bootstrap resamples at once: a resample is a count for each row."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from millrace.domain.features import Floats, Labels

CALIBRATION_BINS = 10
LEAST_PROBABILITY = 1e-6
"""Log loss takes probabilities no nearer to 0 and 1: one surprise must not outweigh a million rows."""
RESAMPLES = 500
CELLS_AT_ONCE = 4_000_000

Metric = Callable[[Labels, Floats, Floats], Floats]
"""From labels (n,), probabilities (n,) and counts (resamples, n) to one number a resample; NaN with one class only."""


def auc(labels: Labels, probabilities: Floats, counts: Floats) -> Floats:
    """Area under the ROC curve; ties count one half (Mann–Whitney)."""
    positives, negatives = _by_score(labels, probabilities, counts)
    below = np.cumsum(negatives, axis=1) - negatives
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    won = (positives * (below + negatives / 2)).sum(axis=1)
    return _ratio(won, pairs)


def average_precision(labels: Labels, probabilities: Floats, counts: Floats) -> Floats:
    """Area under the precision-recall steps: the sum of precision × rise in recall, from the highest score down."""
    positives, negatives = (side[:, ::-1] for side in _by_score(labels, probabilities, counts))
    hits = np.cumsum(positives, axis=1)
    told = hits + np.cumsum(negatives, axis=1)
    precision = np.divide(hits, told, out=np.zeros_like(hits), where=told > 0)
    total = positives.sum(axis=1)
    found = (positives * precision).sum(axis=1)
    return _ratio(found, total)


def brier(labels: Labels, probabilities: Floats, counts: Floats) -> Floats:
    """Mean squared error of the probability."""
    return mean_of(brier_losses(labels, probabilities), counts)


def log_loss(labels: Labels, probabilities: Floats, counts: Floats) -> Floats:
    """Mean negative log likelihood, in nats."""
    return mean_of(log_losses(labels, probabilities), counts)


def ece(labels: Labels, probabilities: Floats, counts: Floats) -> Floats:
    """Expected calibration error over 10 bins of equal mass: the weighted mean of |mean probability − share of yes|."""
    order = np.argsort(probabilities, kind="stable")
    starts = np.linspace(0, len(order), CALIBRATION_BINS + 1).astype(int)[:-1]
    gaps = (probabilities - labels)[order] * counts[:, order]
    apart = np.abs(np.add.reduceat(gaps, np.unique(starts), axis=1)).sum(axis=1)
    return np.asarray(apart / counts.sum(axis=1), dtype=np.float64)


METRICS: dict[str, Metric] = {
    "auc": auc,
    "average_precision": average_precision,
    "brier": brier,
    "log_loss": log_loss,
    "ece": ece,
}


def brier_losses(labels: Labels, probabilities: Floats) -> Floats:
    """Squared error of each row."""
    return np.square(probabilities - labels)


def log_losses(labels: Labels, probabilities: Floats) -> Floats:
    """Negative log likelihood of each row."""
    kept = np.clip(probabilities, LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
    return -np.where(labels == 1, np.log(kept), np.log1p(-kept))


def mean_of(losses: Floats, counts: Floats) -> Floats:
    """The mean of row losses in each resample."""
    return np.asarray(counts @ losses / counts.sum(axis=1), dtype=np.float64)


def once(rows: int) -> Floats:
    """The counts of the sample itself: every row once."""
    return np.ones((1, rows))


def resamples(rows: int, seed: int, count: int = RESAMPLES) -> Iterator[Floats]:
    """Bootstrap counts in blocks that fit into memory, `count` resamples in all; the same for the same seed."""
    chance = np.random.default_rng(seed)
    block = max(1, CELLS_AT_ONCE // rows)
    for start in range(0, count, block):
        drawn = (chance.integers(rows, size=rows) for _ in range(min(block, count - start)))
        yield np.array([np.bincount(rows_drawn, minlength=rows) for rows_drawn in drawn], dtype=np.float64)


def _ratio(above: Floats, below: Floats) -> Floats:
    # NaN where a resample lacks a class.
    return np.asarray(np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0), dtype=np.float64)


def _by_score(labels: Labels, probabilities: Floats, counts: Floats) -> tuple[Floats, Floats]:
    # Positives and negatives of each resample at each distinct score, rising.
    order = np.argsort(probabilities, kind="stable")
    ranked, yes = probabilities[order], (labels[order] == 1).astype(np.float64)
    starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    positives: NDArray[np.float64] = np.add.reduceat(counts[:, order] * yes, starts, axis=1)
    everyone: NDArray[np.float64] = np.add.reduceat(counts[:, order], starts, axis=1)
    return positives, everyone - positives
