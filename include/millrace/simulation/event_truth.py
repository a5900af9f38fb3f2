"""The known truth of a world of events: how what is known of a row makes the label's event follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isnan
from typing import Any

import numpy as np

from millrace.contract.problem import Problem
from millrace.simulation.drawing import steady
from millrace.simulation.truth import expected_auc, intercept_for, logistic, target_auc

INPUTS_EACH = 3
"""How many inputs of the row itself, and how many aggregations, have anything to do with the label."""
PREVALENCE = 0.15

Effect = dict[Any, float] | tuple[float, float, float]


@dataclass(frozen=True)
class EventTruth:
    """P(the event follows) = 1 / (1 + exp(-(intercept + slope · sum of effects))). A missing value has no effect."""

    effects: Mapping[str, Effect]
    """Input → the effect of each level, or (mean, standard deviation, effect of one standard deviation)."""
    slope: float
    intercept: float

    def total(self, inputs: Mapping[str, Any]) -> float:
        return sum(_effect(effect, inputs[name]) for name, effect in self.effects.items())

    def probability(self, inputs: Mapping[str, Any]) -> float:
        return 1 / (1 + exp(-(self.intercept + self.slope * self.total(inputs))))


BLIND = EventTruth({}, 0.0, float(np.log(PREVALENCE / (1 - PREVALENCE))))
"""The truth of a world in which chance alone decides."""


def event_truth(problem: Problem, seen: Sequence[Mapping[str, Any]]) -> EventTruth:
    """A logistic truth over inputs of the row and aggregations, whose own AUC lies well within the problem's gate.

    Args:
        seen: What inputs look like: those of a sample from the `BLIND` world.
    """
    across = [one.name for one in problem.aggregations if one.name in problem.input_columns()]
    own = [name for name in problem.input_columns() if name not in across]
    chosen = [
        name
        for names in (own, across)
        for name in steady(problem.problem, "inputs").permutation(sorted(names))[:INPUTS_EACH].tolist()
    ]
    effects = {name: _drawn(problem, name, [inputs[name] for inputs in seen]) for name in chosen}
    total = np.array([EventTruth(effects, 1.0, 0.0).total(inputs) for inputs in seen])
    slope, low, high = 1.0, 0.0, 100.0
    for _ in range(30):
        slope = (low + high) / 2
        reached = expected_auc(logistic(intercept_for(slope * total, PREVALENCE) + slope * total))
        low, high = (slope, high) if reached < target_auc(problem.gate) else (low, slope)
    return EventTruth(effects, slope, intercept_for(slope * total, PREVALENCE))


def _drawn(problem: Problem, name: str, values: list[Any]) -> Effect:
    rng = steady(problem.problem, name, "effect")
    weight = float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.5))
    if problem.gold_columns()[name].type in ("string", "boolean"):
        levels = sorted({value for value in values if value is not None}, key=str)
        return {
            level: weight * float(effect) for level, effect in zip(levels, rng.normal(size=len(levels)), strict=True)
        }
    numbers = np.array([value for value in values if value is not None], dtype=float)
    numbers = numbers[~np.isnan(numbers)]
    spread = float(np.std(numbers)) if numbers.size else 0.0
    # What hardly ever varies would have an effect without bounds where it does.
    return (float(np.mean(numbers)), spread, weight) if spread > 0 else (0.0, 1.0, 0.0)


def _effect(effect: Effect, value: Any) -> float:
    if value is None or (isinstance(value, float) and isnan(value)):
        return 0.0
    if isinstance(effect, dict):
        return effect.get(value, 0.0)
    mean, spread, weight = effect
    # Far outliers count no more than three deviations: history grows longer than in the sample.
    return weight * min(max((float(value) - mean) / spread, -3.0), 3.0)
