"""Step, run as a Ray job: search for the best configuration by cross-validation on the training fold."""

import hashlib
import json
import logging
import sys
import time
from typing import Any

from millrace.adapters import tuning
from millrace.adapters.tuning import Trial
from millrace.domain.search import SEARCH_FOLDS, configuration_of, make_folds
from millrace.domain.splitting import TRAIN, search_folds
from millrace.steps import job, run_folder
from millrace.steps.training_rows import read_training_rows


def tune(problem_name: str, run_key: str, snapshot_id: int) -> dict[str, Any]:
    """Search, writing each trial when it is done and the result at the end.

    An attempt after a killed one runs only the trials that are missing; after a finished one, none.

    Returns:
        best (a configuration), log_loss, trials, seconds.
    """
    done = run_folder.read(problem_name, run_key, run_folder.TUNING)
    if done is not None:
        return done
    began = time.monotonic()
    problem = run_folder.contract_of(problem_name, run_key)
    rows = read_training_rows(problem, snapshot_id).fold(TRAIN)
    split = problem.training.split
    turns = search_folds(split, rows.keys, rows.columns, SEARCH_FOLDS)
    folds = make_folds(problem, rows.columns, rows.labels, turns)

    def keep(trial: Trial) -> None:
        run_folder.write(problem_name, run_key, _trial_name(trial), trial.model_dump(mode="json"))

    trials = tuning.search(problem.training, folds, finished=finished_trials(problem_name, run_key), on_trial=keep)
    best = min(trials, key=lambda trial: trial.log_loss)
    result = {
        "best": configuration_of(problem.training, best.point).model_dump(mode="json"),
        "log_loss": best.log_loss,
        "trials": [trial.model_dump(mode="json") for trial in trials],
        "seconds": round(time.monotonic() - began, 1),
    }
    run_folder.write(problem_name, run_key, run_folder.TUNING, result)
    return result


def finished_trials(problem_name: str, run_key: str) -> list[Trial]:
    """The trials that earlier attempts of this run wrote."""
    names = run_folder.names_under(problem_name, run_key, run_folder.TRIALS)
    return [Trial.model_validate(run_folder.demand(problem_name, run_key, name, step="tune")) for name in names]


def _trial_name(trial: Trial) -> str:
    # Named by its content: two attempts that ran the same point write one file.
    return run_folder.TRIALS + hashlib.sha256(json.dumps(trial.point, sort_keys=True).encode()).hexdigest()[:16]


def main() -> int:
    asked = job.begin("Search for the best configuration of a training run")
    result = tune(asked.problem, asked.run_key, asked.snapshot_id)
    logging.getLogger(__name__).info(
        "best of %d trials: %s, log loss %.4f, %.0f s",
        len(result["trials"]),
        result["best"]["estimator"],
        result["log_loss"],
        result["seconds"],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
