"""How models are searched and fitted, and what they must show before they may serve."""

from typing import Literal, Self

from pydantic import Field, model_validator

from millrace.contract.model import Model
from millrace.contract.source import ColumnName


class SearchRange(Model):
    """The range of one hyperparameter."""

    low: float
    """Smallest value that is tried."""
    high: float
    """Largest value that is tried."""
    scale: Literal["linear", "log", "integer"] = "linear"
    """How values are drawn between the two."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high or (self.scale == "log" and self.low <= 0):
            raise ValueError(f"low {self.low} must be below high {self.high} (and above 0 on a log scale)")
        return self


Estimator = Literal["logistic_regression", "xgboost"]

DEFAULT_SEARCH_SPACE: dict[Estimator, dict[str, SearchRange]] = {
    "logistic_regression": {"c": SearchRange(low=0.001, high=10, scale="log")},
    "xgboost": {
        "n_estimators": SearchRange(low=40, high=200, scale="integer"),
        "max_depth": SearchRange(low=2, high=5, scale="integer"),
        "learning_rate": SearchRange(low=0.02, high=0.3, scale="log"),
        "subsample": SearchRange(low=0.6, high=1.0),
        "colsample_bytree": SearchRange(low=0.5, high=1.0),
        "min_child_weight": SearchRange(low=1, high=20, scale="log"),
        "reg_lambda": SearchRange(low=0.1, high=30, scale="log"),
    },
}


class Split(Model):
    """How rows go to folds, for ever: by a hash of the key (or of a group column), or by time."""

    by: Literal["key", "group", "time"] = "key"
    """key: each row by its key. group: the rows of a group together. time: the newest rows are the holdout."""
    group: ColumnName | None = None
    """The column whose rows must stay together (by: group)."""
    holdout_share: float = Field(default=0.2, gt=0, lt=0.5)
    """Share of the rows that judge the model and are never fitted on."""
    calibration_share: float = Field(default=0.15, gt=0, lt=0.5)
    """Share of the rows that calibrate the probabilities and are not fitted on otherwise."""
    salt: str = "millrace"
    """Changing it draws new folds: the champion then has seen part of the new holdout."""

    @model_validator(mode="after")
    def _group_named(self) -> Self:
        if (self.by == "group") != (self.group is not None):
            raise ValueError("split by group needs group: <column>, and only then")
        return self


class Training(Model):
    """How models are searched and fitted."""

    estimators: tuple[Estimator, ...] = ("logistic_regression", "xgboost")
    """What is tried: logistic regression, gradient-boosted trees, or both."""
    search_space: dict[Estimator, dict[str, SearchRange]] = Field(default={})
    """Ranges that replace the default ones, by estimator and hyperparameter."""
    trials: int = Field(default=20, ge=1, le=500)
    """How many configurations the search tries."""
    split: Split = Split()
    """Which rows train, calibrate and judge."""
    seed: int = 0
    """Start of every random draw of a training: the same rows and seed give the same model."""
    imbalance: Literal["none", "balanced"] = "none"
    """balanced weighs both classes alike while fitting; calibration then restores the true prevalence."""

    @model_validator(mode="after")
    def _known_hyperparameters(self) -> Self:
        for estimator, ranges in self.search_space.items():
            known = DEFAULT_SEARCH_SPACE[estimator]
            for name in ranges:
                if name not in known:
                    raise ValueError(f"search_space.{estimator} has no {name}; known: {', '.join(known)}")
        return self

    def ranges(self, estimator: Estimator) -> dict[str, SearchRange]:
        """The search space of one estimator: the defaults, with this problem's replacements."""
        return DEFAULT_SEARCH_SPACE[estimator] | self.search_space.get(estimator, {})


class GroupLimit(Model):
    """A limit on how much worse a metric may be for one group of rows than for all."""

    column: ColumnName
    """The column whose values, or bands, are the groups; it may be one that the model does not see."""
    edges: tuple[float, ...] = ()
    """Bands of a numeric column, such as age bands; empty: each value is a group."""
    metric: Literal["auc", "brier", "recall"] = "auc"
    """What is compared. recall is that of the serving threshold."""
    max_gap: float = Field(gt=0, le=1)
    """Largest difference to the metric of all rows, towards the worse."""
    min_rows: int = Field(default=50, ge=10)
    """Groups with fewer rows in the holdout are reported, not judged."""


class Gate(Model):
    """What a candidate must show on the holdout before it may serve."""

    min_auc: float = Field(default=0.6, ge=0.5, le=1)
    """Smallest AUC on the holdout rows that the model decides (overrides set aside)."""
    min_average_precision: float = Field(default=0.0, ge=0, le=1)
    """Smallest average precision on the same rows; the choice for rare positives."""
    suspicious_auc: float = Field(default=0.99, gt=0.5, le=1)
    """Above this a leak is more likely than a good model: the candidate waits for a person."""
    non_inferiority_margin: float = Field(default=0.02, gt=0)
    """Largest worsening of the log loss, at the upper end of the interval, against baseline and champion. It counts for
    2,000 holdout rows or more; n rows widen it by √(2000 / n), as they widen the interval."""
    max_latency_ms: float = Field(default=5.0, gt=0)
    """Budget of one row, features, model and factors, 95th percentile."""
    groups: tuple[GroupLimit, ...] = ()
    """Limits for groups of rows, such as age bands."""
