"""From rows and a configuration to a package. The same rows and configuration give the same content, byte for byte."""

from collections.abc import Mapping
from typing import Any

from threadpoolctl import threadpool_limits

from millrace.contract.problem import Problem
from millrace.domain import features
from millrace.domain.fitting import Configuration, fit_calibration, fit_model
from millrace.domain.models import open_model
from millrace.domain.splitting import CALIBRATION, TRAIN
from millrace.steps.build_package import build_package
from millrace.steps.training_rows import LabelledRows


def fit_candidate(
    problem: Problem, rows: LabelledRows, configuration: Configuration, provenance: Mapping[str, Any]
) -> dict[str, bytes]:
    """Fit features and model on the training fold, calibrate on the calibration fold, build the package.

    Raises:
        MillraceError: If a feature cannot be fitted, or the package does not agree with itself.
    """
    training, held_back = rows.fold(TRAIN), rows.fold(CALIBRATION)
    # Sums over several threads come out differently from run to run, in the last bit.
    with threadpool_limits(1):
        program = features.fit(problem, training.columns)
        model = fit_model(configuration, features.run_columns(program, training.columns), training.labels)
        log_odds = open_model(model).log_odds(features.run_columns(program, held_back.columns))
        calibration = fit_calibration(log_odds, held_back.labels)
        return build_package(
            problem,
            program=program,
            model=model,
            calibration=calibration,
            training=training.columns,
            provenance=provenance,
        )
