"""Evaluation on the holdout: every figure with its 95 % interval, for groups too, with overrides and without."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from millrace.contract.model import Model
from millrace.contract.modelling import GroupLimit
from millrace.domain import metrics
from millrace.domain.calibration import Platt
from millrace.domain.features import Columns, Floats, Labels

ENDS = (2.5, 97.5)
ECE_SIMULATIONS = 1_000
ECE_PERCENTILE = 99


class Figure(Model):
    """A value and the ends of its 95 % bootstrap interval; all None where it is undefined (one class only)."""

    value: float | None
    low: float | None
    high: float | None


class Evaluation(Model):
    """Figures of one set of rows."""

    rows: int
    positives: int
    figures: dict[str, Figure]


class GroupFigure(Model):
    """How a metric stands for one group; `gap` is how much worse it is than for all, `judged` if it has enough rows."""

    column: str
    group: str
    metric: str
    rows: int
    value: float | None
    gap: float | None
    max_gap: float
    judged: bool


def evaluate(labels: Labels, probabilities: Floats, *, seed: int) -> Evaluation:
    """AUC, average precision, Brier score, log loss and ECE, each with its interval (500 resamples)."""
    drawn: dict[str, list[Floats]] = {name: [] for name in metrics.METRICS}
    for counts in metrics.resamples(len(labels), seed):
        for name, metric in metrics.METRICS.items():
            drawn[name].append(metric(labels, probabilities, counts))
    figures = {
        name: _figure(_once(name, labels, probabilities), np.concatenate(drawn[name])) for name in metrics.METRICS
    }
    return Evaluation(rows=len(labels), positives=int(labels.sum()), figures=figures)


def mean_interval(differences: Floats, *, seed: int) -> Figure:
    """Mean of paired differences of losses, one a row, with its interval."""
    drawn = [metrics.mean_of(differences, counts) for counts in metrics.resamples(len(differences), seed)]
    return _figure(float(differences.mean()), np.concatenate(drawn))


def ece_limit(probabilities: Floats, *, calibration_rows: int, seed: int) -> float:
    """The ECE that an honest model of these probabilities exceeds once in a hundred, by simulation.

    Honest: labels do come up with these probabilities, but its calibration was fitted on `calibration_rows` rows, so
    slope and intercept miss 1 and 0 by the sampling error of that fit (asymptotically normal, with the inverse Fisher
    information of a logistic regression as covariance). Without it, good models of few rows are refused for nothing.
    """
    chance = np.random.default_rng(seed)
    kept = np.clip(probabilities, metrics.LEAST_PROBABILITY, 1.0 - metrics.LEAST_PROBABILITY)
    log_odds = np.log(kept / (1.0 - kept))
    design = np.stack([log_odds, np.ones_like(log_odds)])
    information = calibration_rows * (design * kept * (1.0 - kept)) @ design.T / len(kept)
    missed = chance.multivariate_normal((1.0, 0.0), np.linalg.pinv(information), size=ECE_SIMULATIONS)
    once = metrics.once(len(kept))
    drawn = []
    for slope, intercept in missed:
        labels = (chance.random(len(kept)) < kept).astype(np.int8)
        told = Platt(slope=slope, intercept=intercept).apply_columns(log_odds)
        drawn.append(metrics.ece(labels, told, once)[0])
    return float(np.percentile(drawn, ECE_PERCENTILE))


def by_group(
    limit: GroupLimit, labels: Labels, probabilities: Floats, columns: Columns, *, threshold: float
) -> tuple[GroupFigure, ...]:
    """The metric of a limit for each group of rows, and how far behind all rows each is."""
    overall = _group_metric(limit.metric, labels, probabilities, threshold)
    found: list[GroupFigure] = []
    for name, member in groups(limit, columns):
        value = _group_metric(limit.metric, labels[member], probabilities[member], threshold)
        rows = int(member.sum())
        gap = None
        if value is not None and overall is not None:
            gap = value - overall if limit.metric == "brier" else overall - value
        judged = rows >= limit.min_rows and gap is not None
        told = {"column": limit.column, "group": name, "metric": limit.metric, "max_gap": limit.max_gap}
        found.append(GroupFigure(**told, rows=rows, value=value, gap=gap, judged=judged))
    return tuple(found)


def groups(limit: GroupLimit, columns: Columns) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The groups of a column: its bands, or its values, as (name, which rows belong)."""
    values = columns[limit.column]
    if limit.edges:
        bands = [-np.inf, *sorted(limit.edges), np.inf]
        numbers = values.astype(np.float64)
        for low, high in pairwise(bands):
            name = (
                f"below {high:g}"
                if low == -np.inf
                else f"{low:g} and above"
                if high == np.inf
                else f"{low:g} to {high:g}"
            )
            yield name, (numbers >= low) & (numbers < high)
        return
    texts = np.array(["(missing)" if v is None or v != v else str(v) for v in values.tolist()], dtype=object)  # noqa: PLR0124 -- NaN
    for name in sorted(set(texts.tolist())):
        yield name, np.asarray(texts == name, dtype=bool)


def _group_metric(metric: str, labels: Labels, probabilities: Floats, threshold: float) -> float | None:
    if metric == "recall":
        positive = labels == 1
        return float((probabilities[positive] >= threshold).mean()) if positive.any() else None
    return _once(metric, labels, probabilities) if len(labels) else None


def _once(name: str, labels: Labels, probabilities: Floats) -> float | None:
    value = float(metrics.METRICS[name](labels, probabilities, metrics.once(len(labels)))[0])
    return None if np.isnan(value) else value


def _figure(value: float | None, drawn: Floats) -> Figure:
    usable = drawn[~np.isnan(drawn)]
    if value is None or not usable.size:
        return Figure(value=value, low=None, high=None)
    low, high = np.percentile(usable, ENDS).tolist()
    return Figure(value=value, low=low, high=high)
