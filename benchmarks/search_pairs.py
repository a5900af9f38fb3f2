"""Runs inside a Ray job (see test_tuning.py): Optuna alone and our search, in pairs; a line a pair, then JSON."""

import json
import statistics
import sys
import time

import numpy as np
import optuna
import ray

from millrace.adapters import tuning
from millrace.contract.modelling import Training
from millrace.domain.search import Fold, configuration_of, cross_validated_losses, starting_points, suggest

TRAINING = Training(estimators=("xgboost",), trials=20)
ROWS, FEATURES = 14_000, 26  # the loan file's own rows in the training fold, and its features


def folds() -> list[Fold]:
    """Three turns of drawn rows."""
    chance = np.random.default_rng(0)
    matrix = chance.normal(size=(ROWS, FEATURES)).astype(np.float32)
    odds = matrix[:, 0] * 2 + np.square(matrix[:, 1]) - 1
    labels = (chance.random(ROWS) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    turns = np.arange(ROWS) % 3
    return [
        Fold(matrix[turns != turn], labels[turns != turn], matrix[turns == turn], labels[turns == turn])
        for turn in range(3)
    ]


def alone(data: list[Fold]) -> tuple[float, float]:
    """Seconds and best loss of Optuna in this process, as many trials at a time as on Ray (XGBoost frees the GIL)."""

    def objective(trial: optuna.Trial) -> float:
        suggest(TRAINING, trial)
        return float(np.mean(cross_validated_losses(configuration_of(TRAINING, trial.params), data)))

    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=0))
    for point in starting_points(TRAINING):
        study.enqueue_trial(point)
    began = time.perf_counter()
    study.optimize(objective, n_trials=TRAINING.trials, n_jobs=tuning.CONCURRENT_TRIALS)
    return time.perf_counter() - began, study.best_value


def on_ray(data: list[Fold]) -> tuple[float, float]:
    """Seconds and best loss of our search, start of its actors included."""
    began = time.perf_counter()
    trials = tuning.search(TRAINING, data, finished=[], on_trial=lambda _trial: None)
    return time.perf_counter() - began, min(trial.log_loss for trial in trials)


def main(pairs: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ray.init(log_to_driver=False)
    data, ratios = folds(), []
    print(f"{TRAINING.trials} trials of XGBoost, 3 folds, {ROWS:,} rows, {FEATURES} features")
    for pair in range(1, pairs + 1):
        (by_itself, loss), (spread, loss_on_ray) = alone(data), on_ray(data)
        ratios.append(spread / by_itself)
        told = f"Optuna alone {by_itself:.1f} s (loss {loss:.4f}), Ray {spread:.1f} s (loss {loss_on_ray:.4f})"
        print(f"pair {pair}: {told}, ratio {ratios[-1]:.2f}", flush=True)
    print(json.dumps({"median_ratio": statistics.median(ratios)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
