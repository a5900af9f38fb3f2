"""What a search for hyperparameters looks at: a problem's space, and the cross-validated loss of a point in it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from millrace.contract.modelling import Estimator, SearchRange, Training
from millrace.contract.problem import Problem
from millrace.domain import features, fitting, metrics
from millrace.domain.calibration import Platt
from millrace.domain.features import Columns, Labels, Matrix
from millrace.domain.fitting import Configuration
from millrace.domain.models import LogisticModel
from millrace.domain.splitting import Folds

SEARCH_FOLDS = 3
ESTIMATOR = "estimator"
UNCALIBRATED = Platt(slope=1.0, intercept=0.0)

# Where the search begins: ordinary values, which it has to beat.
START: dict[Estimator, dict[str, float]] = {
    "logistic_regression": {"c": 0.1},
    "xgboost": {
        "n_estimators": 120,
        "max_depth": 3,
        "learning_rate": 0.08,
        "subsample": 0.9,
        "colsample_bytree": 0.8,
        "min_child_weight": 3.0,
        "reg_lambda": 3.0,
    },
}


class Suggests(Protocol):
    """What a search hands to the space; Optuna's trial is one."""

    def suggest_categorical(self, name: str, choices: tuple[str, ...]) -> str: ...
    def suggest_int(self, name: str, low: int, high: int) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...


@dataclass(frozen=True)
class Fold:
    """One turn of the cross-validation, features fitted on its own training part."""

    train: Matrix
    train_labels: Labels
    test: Matrix
    test_labels: Labels


def suggest(training: Training, trial: Suggests) -> None:
    """Draw a point: the estimator, then the hyperparameters of that estimator only."""
    estimator = trial.suggest_categorical(ESTIMATOR, training.estimators)
    for chosen in training.estimators:
        if chosen != estimator:
            continue
        for name, wanted in training.ranges(chosen).items():
            if wanted.scale == "integer":
                trial.suggest_int(name, int(wanted.low), int(wanted.high))
            else:
                trial.suggest_float(name, wanted.low, wanted.high, log=wanted.scale == "log")


def starting_points(training: Training) -> list[dict[str, str | float]]:
    """One ordinary point for each estimator, moved into the problem's ranges."""
    return [
        {ESTIMATOR: one, **{name: _inside(wanted, START[one][name]) for name, wanted in training.ranges(one).items()}}
        for one in training.estimators
    ]


def configuration_of(training: Training, point: dict[str, str | float]) -> Configuration:
    """The configuration that a point stands for."""
    estimator: Estimator = "xgboost" if point[ESTIMATOR] == "xgboost" else "logistic_regression"
    parameters = {name: float(value) for name, value in sorted(point.items()) if name != ESTIMATOR}
    return Configuration(
        estimator=estimator,
        parameters=parameters,
        balanced=training.imbalance == "balanced",
        seed=training.seed,
    )


def make_folds(problem: Problem, columns: Columns, labels: Labels, folds: Folds) -> list[Fold]:
    """The matrices of every turn, made once and shared by all trials. A turn without both classes is left out."""
    made: list[Fold] = []
    for turn in range(SEARCH_FOLDS):
        test = folds == turn
        if len(set(labels[test].tolist())) < 2 or len(set(labels[~test].tolist())) < 2:
            continue
        inside = {name: values[~test] for name, values in columns.items()}
        outside = {name: values[test] for name, values in columns.items()}
        program = features.fit(problem, inside)
        train, held = features.run_columns(program, inside), features.run_columns(program, outside)
        made.append(Fold(train, labels[~test], held, labels[test]))
    return made


def cross_validated_losses(configuration: Configuration, folds: list[Fold]) -> list[float]:
    """Log loss of each turn, on its held out part."""
    return [_loss(configuration, fold) for fold in folds]


def _loss(configuration: Configuration, fold: Fold) -> float:
    if configuration.estimator == "logistic_regression":
        coefficients = fitting.fit_logistic(configuration, fold.train, fold.train_labels)
        log_odds = LogisticModel(coefficients).log_odds(fold.test)
    else:
        trees = fitting.fit_trees(configuration, fold.train, fold.train_labels)
        log_odds = fitting.trees_log_odds(trees, fold.test)
    if configuration.balanced:
        # Weighing both classes alike moves every log-odds by the prior's; calibration takes that back later.
        share = float(fold.train_labels.mean())
        log_odds = log_odds + np.log(share / (1.0 - share))
    probabilities = UNCALIBRATED.apply_columns(log_odds)
    return float(np.mean(metrics.log_losses(fold.test_labels, probabilities)))


def _inside(wanted: SearchRange, value: float) -> float:
    return min(max(value, wanted.low), wanted.high)
