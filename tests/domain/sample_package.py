"""A tiny real package, fitted on synthetic rows that obey a problem's contract: for tests of what serves one."""

from typing import Literal

import numpy as np

from millrace.contract.problem import Problem
from millrace.domain import features, fitting
from millrace.domain.features import Columns, columns_of, request_types
from millrace.domain.golden import synthetic_rows
from millrace.domain.models import open_model
from millrace.steps.build_package import build_package

PARAMETERS: dict[str, dict[str, float]] = {
    "xgboost": {"n_estimators": 20, "max_depth": 3, "learning_rate": 0.2},
    "logistic_regression": {"c": 1.0},
}


def sample_columns(problem: Problem, *, rows: int = 400, seed: int = 1) -> Columns:
    """Synthetic request columns that obey the contract."""
    spread = {
        name: {"edges": [column.min or 0.0, column.max or (column.min or 0.0) + 100.0], "levels": {"a": 1, "b": 1}}
        for name, column in problem.request_columns().items()
    }
    drawn = synthetic_rows(problem, {"columns": spread}, count=rows, seed=seed)
    return columns_of(drawn, request_types(problem))


def sample_package(
    problem: Problem,
    estimator: Literal["xgboost", "logistic_regression"] = "xgboost",
    *,
    seed: int = 1,
    provenance: dict[str, str] | None = None,
) -> dict[str, bytes]:
    """The files of a package; another seed gives another content hash."""
    columns = sample_columns(problem, seed=seed)
    program = features.fit(problem, columns)
    matrix = features.run_columns(program, columns)
    chance = np.random.default_rng(seed)
    # The label leans on the first two features, so that factors have something to tell.
    centred = np.nan_to_num(matrix[:, :2] - np.nanmedian(matrix[:, :2], axis=0))
    scaled = centred / np.maximum(centred.std(axis=0), 1e-6)
    labels = (scaled.sum(axis=1) + chance.normal(size=len(matrix)) > 0).astype(np.int8)
    half = len(matrix) // 2
    configuration = fitting.Configuration(estimator=estimator, parameters=PARAMETERS[estimator], seed=seed)
    model = fitting.fit_model(configuration, matrix[:half], labels[:half])
    calibration = fitting.fit_platt(open_model(model).log_odds(matrix[half:]), labels[half:])
    return build_package(
        problem,
        program=program,
        model=model,
        calibration=calibration,
        training=columns,
        provenance=provenance or {"gold_tag": "trained_sample"},
    )
