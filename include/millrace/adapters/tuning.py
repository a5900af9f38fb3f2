"""Ray Tune: the search for hyperparameters, spread over a cluster.

Actors are reused, because a fresh one imports everything again, which takes longer than a trial. A search goes on where
a killed one stopped: finished trials are told to the sampler as done (JSON from the caller; docs/decisions say why not
`Tuner.restore`).
"""

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import optuna
import ray
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from millrace.contract.errors import MillraceError
from millrace.contract.model import Model
from millrace.contract.modelling import Training
from millrace.domain.search import Fold, configuration_of, cross_validated_losses, starting_points, suggest

CONCURRENT_TRIALS = 2
STUDY = "search"

# Results stay in memory; these loggers complain that no files were written, and tell where none are.
QUIET = ("ray.tune.analysis.experiment_analysis", "ray.tune.tune")

logger = logging.getLogger(__name__)


class Trial(Model):
    """One finished trial."""

    point: dict[str, str | float]
    """Estimator and hyperparameters, as the search drew them."""
    log_loss: float
    """Mean of the folds."""
    fold_losses: tuple[float, ...]
    seconds: float


class CrossValidation(tune.Trainable):
    """One trial: fit and score every fold."""

    # Tune hands more than the supertype declares: what `with_parameters` was given.
    def setup(self, config: dict[str, Any], training: Training, folds: list[Fold]) -> None:  # type: ignore[override]
        self._training, self._folds, self._point = training, folds, config

    def step(self) -> dict[str, Any]:
        began = time.perf_counter()
        losses = cross_validated_losses(configuration_of(self._training, self._point), self._folds)
        seconds = time.perf_counter() - began
        return {"log_loss": sum(losses) / len(losses), "fold_losses": losses, "seconds": seconds, "done": True}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._point = new_config
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to keep: a trial is one step."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing to restore."""


class _Progress(tune.Callback):
    """Hands each finished trial on, and says a line about it."""

    def __init__(self, wanted: int, finished: Sequence[Trial], on_trial: Callable[[Trial], None]) -> None:
        self._wanted, self._on_trial = wanted, on_trial
        self.finished = list(finished)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        done = as_trial(trial.config, trial.last_result)
        self.finished.append(done)
        self._on_trial(done)
        best = min(one.log_loss for one in self.finished)
        logger.info(
            "trial %d/%d · %s · log loss %.4f · best %.4f · %.1f s",
            len(self.finished),
            self._wanted,
            done.point["estimator"],
            done.log_loss,
            best,
            done.seconds,
        )


def search(
    training: Training, folds: list[Fold], *, finished: Sequence[Trial], on_trial: Callable[[Trial], None]
) -> list[Trial]:
    """Run the trials that are missing, on the cluster that this process is connected to.

    Args:
        finished: Trials of an earlier attempt of the same search; they count, and are not run again.
        on_trial: Called in this process for each new trial, as soon as it is done.

    Returns:
        All trials.

    Raises:
        MillraceError: If a trial failed, with its error.
    """
    missing = training.trials - len(finished)
    if missing <= 0:
        return list(finished)
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level=logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    progress = _Progress(training.trials, finished, on_trial)
    with tempfile.TemporaryDirectory(prefix="millrace-search-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(CrossValidation, training=training, folds=folds), {"cpu": 1}),
            tune_config=tune.TuneConfig(
                num_samples=missing,
                search_alg=searcher(training, finished),
                max_concurrent_trials=CONCURRENT_TRIALS,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=scratch, name=STUDY, verbose=0, callbacks=[progress]),
        )
        results = tuner.fit()
        if results.num_errors:
            raise MillraceError(
                f"{results.num_errors} of {missing} trials failed",
                place="the search for hyperparameters",
                found=str(results.errors[0]).strip().splitlines()[-1],
                expected="every trial to end with a loss",
                fix="read the log of the Ray job; the task's retry runs only the trials that are missing",
            )
        # From Tune's own results: the callback works on a copy of itself once the tuner was pickled.
        new = [as_trial(results[n].config or {}, results[n].metrics or {}) for n in range(len(results))]
    return [*finished, *new]


def searcher(training: Training, finished: Sequence[Trial]) -> OptunaSearch:
    """TPE over the problem's space, told what is done. Seeded by the number done, or it would draw the same again."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name=STUDY, direction="minimize")
    for trial in finished:
        study.add_trial(
            optuna.trial.create_trial(
                params=trial.point, distributions=distributions(training, trial.point), value=trial.log_loss
            )
        )
    done = [trial.point for trial in finished]
    for point in starting_points(training):
        if point not in done:
            study.enqueue_trial(point)
    return OptunaSearch(
        partial(suggest, training),
        metric="log_loss",
        mode="min",
        sampler=optuna.samplers.TPESampler(seed=training.seed + len(finished)),
        study_name=STUDY,
        storage=storage,
    )


def distributions(training: Training, point: dict[str, str | float]) -> dict[str, Any]:
    """The distribution that each value of a point was drawn from."""
    fixed = optuna.trial.FixedTrial(point)
    suggest(training, fixed)
    found: dict[str, Any] = fixed.distributions
    return found


def as_trial(point: dict[str, Any], result: dict[str, Any]) -> Trial:
    return Trial(
        point=point, log_loss=result["log_loss"], fold_losses=tuple(result["fold_losses"]), seconds=result["seconds"]
    )
