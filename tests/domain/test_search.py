"""The search space of a problem, and the loss of a point in it."""

import numpy as np
import optuna
import pytest

from millrace.contract.modelling import SearchRange, Training
from millrace.domain.search import (
    configuration_of,
    cross_validated_losses,
    make_folds,
    starting_points,
    suggest,
)
from tests.domain.test_features import problem as small_problem


def test_a_point_holds_its_own_estimators_hyperparameters_only() -> None:
    training = Training(search_space={"xgboost": {"max_depth": SearchRange(low=6, high=7, scale="integer")}})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(20):
        trial = study.ask()
        suggest(training, trial)
        seen.add(trial.params["estimator"])
        wanted = training.ranges(trial.params["estimator"])
        assert set(trial.params) == {"estimator", *wanted}
        for name, told in wanted.items():
            assert told.low <= trial.params[name] <= told.high
    assert seen == {"logistic_regression", "xgboost"}


def test_the_search_starts_inside_the_problems_ranges() -> None:
    training = Training(
        estimators=("xgboost",),
        search_space={"xgboost": {"max_depth": SearchRange(low=6, high=7, scale="integer")}},
    )
    (point,) = starting_points(training)
    assert point["max_depth"] == 6
    assert point["estimator"] == "xgboost"


@pytest.mark.parametrize("balanced", ["none", "balanced"])
def test_the_better_configuration_has_the_lower_loss(balanced: str) -> None:
    chance = np.random.default_rng(0)
    amount = chance.normal(size=600)
    labels = (chance.random(600) < 1 / (1 + np.exp(-3 * amount + 2))).astype(np.int8)
    problem = small_problem([{"kind": "numeric", "input": "amount"}])
    folds = make_folds(problem, {"amount": amount}, labels, (np.arange(600) % 3).astype(np.int8))
    assert len(folds) == 3
    training = Training(imbalance=balanced)
    for point in ({"estimator": "logistic_regression", "c": 1.0}, {"estimator": "xgboost", "n_estimators": 60}):
        good = np.mean(cross_validated_losses(configuration_of(training, point), folds))
        poor = {"logistic_regression": {"c": 1e-5}, "xgboost": {"n_estimators": 1}}[point["estimator"]]
        assert good < 0.4
        assert good < np.mean(cross_validated_losses(configuration_of(training, {**point, **poor}), folds))


def test_a_turn_with_one_class_is_left_out() -> None:
    problem = small_problem([{"kind": "numeric", "input": "amount"}])
    labels = np.array([1, 1, 0, 1, 0, 1, 0, 1, 0], dtype=np.int8)
    turns = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2], dtype=np.int8)
    assert len(make_folds(problem, {"amount": np.arange(9.0)}, labels, turns)) == 2
