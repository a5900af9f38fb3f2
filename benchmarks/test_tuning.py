"""The search on Ray beside Optuna in one process: the same trials, the same folds, in pairs."""

import os
import statistics
import time

import numpy as np
import optuna
import pytest

from infra.services import ray as ray_service
from millrace.contract.modelling import Training
from millrace.domain.search import Fold, configuration_of, cross_validated_losses, starting_points, suggest
from millrace.settings import get_settings

PAIRS = 3
LIMIT = 1.5
TRAINING = Training(estimators=("xgboost",), trials=20)
ROWS, FEATURES = 14_000, 26  # the loan file's own rows in the training fold, and its features


def folds() -> list[Fold]:
    chance = np.random.default_rng(0)
    matrix = chance.normal(size=(ROWS, FEATURES)).astype(np.float32)
    odds = matrix[:, 0] * 2 + np.square(matrix[:, 1]) - 1
    labels = (chance.random(ROWS) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    turns = np.arange(ROWS) % 3
    return [
        Fold(matrix[turns != turn], labels[turns != turn], matrix[turns == turn], labels[turns == turn])
        for turn in range(3)
    ]


def in_process(data: list[Fold]) -> tuple[float, float]:
    """Seconds and best loss of Optuna alone, two trials at a time like the search (XGBoost lets go of the GIL)."""

    def objective(trial: optuna.Trial) -> float:
        suggest(TRAINING, trial)
        return float(np.mean(cross_validated_losses(configuration_of(TRAINING, trial.params), data)))

    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=0))
    for point in starting_points(TRAINING):
        study.enqueue_trial(point)
    began = time.perf_counter()
    study.optimize(objective, n_trials=TRAINING.trials, n_jobs=2)
    return time.perf_counter() - began, study.best_value


def on_ray(data: list[Fold]) -> tuple[float, float]:
    """Seconds and best loss of our search on the running head, start of the actors included."""
    from millrace.adapters import tuning

    began = time.perf_counter()
    trials = tuning.search(TRAINING, data, finished=[], on_trial=lambda _trial: None)
    return time.perf_counter() - began, min(trial.log_loss for trial in trials)


@pytest.mark.bench
@pytest.mark.stack
def test_search_against_optuna_alone() -> None:
    settings = get_settings()
    os.environ |= ray_service.token(settings) | {
        "RAY_ADDRESS": f"127.0.0.1:{settings.port('ray_gcs')}",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    }
    import ray

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ray.init(log_to_driver=False)
    try:
        data = folds()
        ratios = []
        print(f"\n{TRAINING.trials} trials of XGBoost, 3 folds, {ROWS:,} rows, {FEATURES} features")
        for pair in range(PAIRS):
            alone, best_alone = in_process(data)
            spread, best_spread = on_ray(data)
            ratios.append(spread / alone)
            print(
                f"  pair {pair + 1}: Optuna alone {alone:5.1f} s (loss {best_alone:.4f})   "
                f"Ray {spread:5.1f} s (loss {best_spread:.4f})   ratio {ratios[-1]:.2f}"
            )
        print(f"  median ratio {statistics.median(ratios):.2f}, limit {LIMIT}")
    finally:
        ray.shutdown()
    assert statistics.median(ratios) <= LIMIT
