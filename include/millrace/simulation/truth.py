"""The known truth of a simulated problem: how the label comes from the inputs, the same in every file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millrace.contract.modelling import Gate
from millrace.contract.problem import Problem
from millrace.contract.source import Scalar
from millrace.simulation.drawing import Drawn, Mask, Values, draw, levels, steady

Floats = NDArray[np.float64]

INPUTS = 6
"""How many inputs, at most, have anything to do with the label."""
PREVALENCE = 0.35
_SAMPLE_ROWS = 4_000


@dataclass(frozen=True)
class Truth:
    """P(label is positive) = 1 / (1 + exp(-(intercept + slope · sum of effects))); overrides decide before."""

    problem: Problem
    effects: dict[str, dict[Scalar, float] | tuple[float, float, float]]
    """Column → the effect of each level, or (mean, standard deviation, effect of one standard deviation)."""
    slope: float
    intercept: float

    def probabilities(self, drawn: Drawn) -> Floats:
        """Shape (rows,). A missing value has no effect."""
        probability = logistic(self.intercept + self.slope * _sum(self.effects, drawn))
        for override in reversed(self.problem.overrides):
            probability[drawn.values[override.column] == override.equals] = override.probability
        return probability

    def overridden(self, drawn: Drawn) -> Mask:
        """Rows that an override decides, so that no model is judged by them."""
        decided = np.zeros(len(next(iter(drawn.values.values()))), dtype=bool)
        for override in self.problem.overrides:
            decided |= drawn.values[override.column] == override.equals
        return decided


def known_truth(problem: Problem) -> Truth:
    """A logistic truth over a few inputs, whose own AUC lies well within the gate of the problem."""
    chosen = steady(problem.problem, "inputs").permutation(sorted(problem.input_columns()))[:INPUTS].tolist()
    sample = draw(problem, steady(problem.problem, "sample"), _SAMPLE_ROWS, first_row=0)
    effects = {name: _effects(problem, name, sample.values[name]) for name in chosen}
    total = _sum(effects, sample)
    free = ~Truth(problem, effects, 1.0, 0.0).overridden(sample)
    slope, wanted = 1.0, target_auc(problem.gate)
    low, high = 0.0, 100.0
    for _ in range(30):
        slope = (low + high) / 2
        intercept = intercept_for(slope * total[free])
        reached = expected_auc(logistic(intercept + slope * total[free]))
        low, high = (slope, high) if reached < wanted else (low, slope)
    return Truth(problem, effects, slope, intercept_for(slope * total[free]))


def target_auc(gate: Gate) -> float:
    """.85, or as far above the floor and below the suspicion ceiling as the gate leaves room."""
    room = gate.suspicious_auc - gate.min_auc
    return min(max(0.85, gate.min_auc + room / 2), gate.suspicious_auc - room / 4)


def auc(label: Mask, score: Floats) -> float:
    """Area under the ROC curve, ties counted half (Mann and Whitney's U); NaN where one class is absent."""
    positives, negatives = int(label.sum()), int((~label).sum())
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _effects(problem: Problem, name: str, values: Values) -> dict[Scalar, float] | tuple[float, float, float]:
    rng = steady(problem.problem, name, "effect")
    weight = float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.5))
    column = problem.source.columns[name]
    if column.type == "string":
        found = levels(problem, name) or []
        return {level: weight * float(effect) for level, effect in zip(found, rng.normal(size=len(found)), strict=True)}
    spread = float(np.std(values.astype(float))) or 1.0
    return float(np.mean(values.astype(float))), spread, weight


def _sum(effects: dict[str, dict[Scalar, float] | tuple[float, float, float]], drawn: Drawn) -> Floats:
    total: Floats = np.zeros(len(next(iter(drawn.values.values()))))
    for name, known in effects.items():
        total += np.where(drawn.missing[name], 0.0, _effect(known, drawn.values[name]))
    return total


def _effect(known: dict[Scalar, float] | tuple[float, float, float], values: Values) -> Floats:
    if isinstance(known, dict):
        return np.array([known.get(value, 0.0) for value in values.tolist()])
    mean, spread, weight = known
    return weight * (values.astype(float) - mean) / spread


def logistic(log_odds: Floats) -> Floats:
    """Probabilities."""
    return 1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))


def intercept_for(log_odds: Floats, prevalence: float = PREVALENCE) -> float:
    """What must be added to log-odds for the mean probability to be the prevalence."""
    low, high = -200.0, 200.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if logistic(log_odds + middle).mean() < prevalence else (low, middle)
    return (low + high) / 2


def expected_auc(probability: Floats) -> float:
    """The AUC that the probabilities themselves have on labels drawn from them."""
    rising = np.sort(probability)
    below = np.concatenate([[0.0], np.cumsum(1 - rising)[:-1]])
    return float((rising * below).sum() / (rising.sum() * (1 - rising).sum()))
