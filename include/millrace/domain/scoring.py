"""Scoring: a package turned into answers. Overrides decide first, then features → model → calibration."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from millrace.contract.problem import Problem
from millrace.contract.source import Scalar
from millrace.domain.calibration import READER
from millrace.domain.explanation import Factor, top_factors
from millrace.domain.feature_rows import compile_row
from millrace.domain.features import Columns, FeatureProgram, Floats, Matrix, Row, columns_of, run_columns
from millrace.domain.models import open_model
from millrace.domain.package import CALIBRATION, FEATURES, GOLDEN, Package

__all__ = ["MODEL", "Factor", "Score", "Scorer", "check_golden", "overridden", "risk_of"]

MANY = 16
"""From so many rows on, columns at once take less time than a row after the other; both give the same features."""
MODEL = "model"
"""`decided_by` where no override matched."""


class Score(NamedTuple):
    """One answer: probability of the positive class, its risk band, and what decided it."""

    probability: float
    risk: str
    positive: bool
    factors: tuple[Factor, ...]
    decided_by: str
    reason: str | None


class Scorer:
    """A package ready to answer. Thread-safe: nothing changes after it was made."""

    def __init__(self, package: Package) -> None:
        self.problem = package.problem
        self.program = FeatureProgram.model_validate_json(package.files[FEATURES])
        self._features = compile_row(self.program)
        self._sources = self.program.sources()
        self._model = open_model(package.files)
        self._calibration = READER.validate_json(package.files[CALIBRATION])
        self._scale = self._calibration.scale()

    def score(self, row: Mapping[str, Scalar | None]) -> Score:
        """One row (a missing column counts as null), with its factors."""
        return self.score_rows((row,))[0]

    def score_rows(self, rows: Sequence[Mapping[str, Scalar | None]], *, explain: bool = True) -> list[Score]:
        """Many rows at once, each as `score` answers it.

        Args:
            explain: Whether factors are told; they cost several times what the probability costs.
        """
        scores = [self._overridden(row) for row in rows]
        asked = [position for position, score in enumerate(scores) if score is None]
        if asked:
            matrix = self._matrix([rows[position] for position in asked])
            count = self.problem.serving.factors if explain else 0
            for position, score in zip(asked, self._modelled(matrix, [rows[p] for p in asked], count), strict=True):
                scores[position] = score
        return [score for score in scores if score is not None]

    def _overridden(self, row: Mapping[str, Scalar | None]) -> Score | None:
        for override in self.problem.overrides:
            if row.get(override.column) == override.equals:
                return self._told(override.probability, (), override.name, override.reason)
        return None

    def _modelled(self, features: Matrix, rows: Sequence[Mapping[str, Scalar | None]], count: int) -> Iterator[Score]:
        log_odds = self._model.log_odds(features)
        shares = (self._model.contributions(features) * self._scale).tolist() if count else [()] * len(rows)
        if len(rows) < MANY:
            probabilities = [self._calibration.apply(odds) for odds in log_odds.tolist()]
        else:
            probabilities = self._calibration.apply_columns(log_odds).tolist()
        for row, probability, share in zip(rows, probabilities, shares, strict=True):
            factors = top_factors(row, share, self._sources, count) if count else ()
            yield self._told(probability, factors, MODEL, None)

    def _matrix(self, rows: Sequence[Mapping[str, Scalar | None]]) -> Matrix:
        if len(rows) < MANY:
            return np.concatenate([self._features(row) for row in rows])
        return run_columns(self.program, columns_of(rows, self.program.inputs))

    def probability(self, row: Mapping[str, Scalar | None]) -> float:
        """The model's own probability of one row: no override, no factors."""
        return self._calibration.apply(float(self._model.log_odds(self._features(row))[0]))

    def score_columns(self, columns: Columns) -> Floats:
        """Probabilities of many rows, overrides applied: float64, shape (rows,)."""
        decided = _override_values(self.problem, columns)
        return np.where(np.isnan(decided), self.model_columns(columns), decided)

    def model_columns(self, columns: Columns) -> Floats:
        """The model's own probabilities of many rows, whatever an override says."""
        return self._calibration.apply_columns(self._model.log_odds(run_columns(self.program, columns)))

    def features(self, row: Row) -> list[float]:
        """The features of one row as the model sees them."""
        found: list[float] = self._features(row)[0].tolist()
        return found

    def _told(self, probability: float, factors: tuple[Factor, ...], decided_by: str, reason: str | None) -> Score:
        positive = probability >= self.problem.serving.threshold
        return Score(probability, risk_of(self.problem, probability), positive, factors, decided_by, reason)


def risk_of(problem: Problem, probability: float) -> str:
    """The name of the first risk band that ends above the probability; the last one includes 1."""
    bands = problem.serving.risk_bands
    return next((band.name for band in bands if probability < band.below), bands[-1].name)


def overridden(problem: Problem, columns: Columns) -> NDArray[np.bool_]:
    """Which rows an override decides: bool, shape (rows,)."""
    return ~np.isnan(_override_values(problem, columns))


def _override_values(problem: Problem, columns: Columns) -> Floats:
    rows = len(next(iter(columns.values())))
    decided = np.full(rows, np.nan)
    # The first override that matches counts, as in `score`.
    for override in reversed(problem.overrides):
        matches = np.asarray(columns[override.column] == override.equals, dtype=bool)
        decided[matches] = override.probability
    return decided


def check_golden(package: Package) -> float:
    """Score the package's golden rows again: the largest difference to what is recorded."""
    scorer = Scorer(package)
    worst = 0.0
    rows: list[dict[str, Any]] = json.loads(package.files[GOLDEN])
    for golden in rows:
        expected = np.array([np.nan if value is None else value for value in golden["features"]])
        found = np.array(scorer.features(golden["row"]))
        apart = np.abs(np.where(np.isnan(found) & np.isnan(expected), 0.0, found - expected))
        # A NaN on one side only must never pass as a small difference.
        worst = max(worst, float(np.max(np.nan_to_num(apart, nan=np.inf))))
        worst = max(worst, abs(scorer.score(golden["row"]).probability - golden["probability"]))
    return worst
