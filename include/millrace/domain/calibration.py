"""Calibration: from a model's log-odds to a probability that can be believed. JSON, outside the model's graph.

Platt: p = sigmoid(slope · log-odds + intercept) (Platt 1999). Isotonic: straight lines between knots.
"""

import math
from bisect import bisect_right
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from millrace.contract.model import Model

Floats = NDArray[np.float64]

# exp() beyond this overflows a float64; the probability is 0 or 1 to the last digit long before.
STEEPEST = 700.0


class Platt(Model):
    kind: Literal["platt"] = "platt"
    slope: float
    intercept: float

    def apply(self, log_odds: float) -> float:
        return sigmoid(self.slope * log_odds + self.intercept)

    def apply_columns(self, log_odds: Floats) -> Floats:
        steep = np.clip(self.slope * log_odds + self.intercept, -STEEPEST, STEEPEST)
        return np.asarray(1.0 / (1.0 + np.exp(-steep)), dtype=np.float64)

    def scale(self) -> float:
        """By how much the calibration stretches a contribution to the log-odds."""
        return self.slope


class Isotonic(Model):
    kind: Literal["isotonic"] = "isotonic"
    log_odds: tuple[float, ...] = Field(min_length=1)
    """Rising positions of the knots."""
    probabilities: tuple[float, ...] = Field(min_length=1)

    def apply(self, log_odds: float) -> float:
        right = bisect_right(self.log_odds, log_odds)
        if right == 0:
            return self.probabilities[0]
        if right == len(self.log_odds):
            return self.probabilities[-1]
        low, high = self.log_odds[right - 1], self.log_odds[right]
        below, above = self.probabilities[right - 1], self.probabilities[right]
        return below + (above - below) / (high - low) * (log_odds - low)

    def apply_columns(self, log_odds: Floats) -> Floats:
        return np.interp(log_odds, self.log_odds, self.probabilities)

    def scale(self) -> float:
        """An isotonic curve has no one slope: contributions stay those of the model's own log-odds."""
        return 1.0


Calibration = Platt | Isotonic
READER: TypeAdapter[Calibration] = TypeAdapter(Annotated[Calibration, Field(discriminator="kind")])


def sigmoid(log_odds: float) -> float:
    """1 / (1 + e^-x), for any finite x."""
    return 1.0 / (1.0 + math.exp(-max(-STEEPEST, min(STEEPEST, log_odds))))
