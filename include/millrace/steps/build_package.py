"""Building a model package: the files of a version, proven against themselves before anyone sees them."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.domain.calibration import Calibration
from millrace.domain.features import Columns, FeatureProgram, columns_of, request_types, run_columns
from millrace.domain.golden import synthetic_rows
from millrace.domain.models import TreeModel, open_model
from millrace.domain.package import (
    CALIBRATION,
    CONTRACT,
    FEATURES,
    GOLDEN,
    REFERENCE,
    as_json,
    open_package,
    seal,
)
from millrace.domain.reference import reference
from millrace.domain.scoring import Scorer, check_golden

GOLDEN_ROWS = 24
MOST_APART = 1e-5
"""Largest difference between two ways to the same number: float32 sums in another order differ by about 1e-6."""


def build_package(
    problem: Problem,
    *,
    program: FeatureProgram,
    model: Mapping[str, bytes],
    calibration: Calibration,
    training: Columns,
    provenance: Mapping[str, Any],
) -> dict[str, bytes]:
    """The files of a version, manifest included.

    Args:
        program: The fitted feature program.
        model: The model's files, as `fitting.fit_model` gives them.
        calibration: Fitted on rows that the model never saw.
        training: Input columns of the training rows, for the reference window.
        provenance: Where the version comes from; not part of the content hash.

    Raises:
        MillraceError: If graph and trees, or one row and many, answer differently.
    """
    spread = reference(problem, training)
    files = {
        **model,
        CONTRACT: as_json(problem.model_dump(mode="json")),
        FEATURES: as_json(program.model_dump(mode="json")),
        CALIBRATION: as_json(calibration.model_dump(mode="json")),
        REFERENCE: as_json(spread),
        GOLDEN: as_json([]),
    }
    rows = synthetic_rows(problem, spread, count=GOLDEN_ROWS, seed=problem.training.seed)
    # The golden rows record what this very package answers, so it is opened once before it is complete.
    scorer = Scorer(open_package(seal(files, problem=problem.problem, provenance={})))
    golden = [
        {
            "row": row,
            "features": [None if math.isnan(value) else value for value in scorer.features(row)],
            "probability": scorer.score(row).probability,
        }
        for row in rows
    ]
    files[GOLDEN] = as_json(golden)
    sealed = seal(files, problem=problem.problem, provenance=provenance)
    apart = parity(sealed)
    if not apart <= MOST_APART:
        raise MillraceError(
            "A model package does not answer the same on every way",
            place=f"problem {problem.problem}, golden rows",
            found=f"a difference of {apart:.2g}",
            expected=f"at most {MOST_APART:.0e}",
            fix="do not serve it; report the versions of xgboost, onnxmltools and onnxruntime in its manifest",
        )
    return sealed


def parity(files: Mapping[str, bytes]) -> float:
    """Largest difference on the golden rows: recorded or scored again, one row or many, graph or trees."""
    package = open_package(files)
    scorer = Scorer(package)
    worst = check_golden(package)
    rows = synthetic_rows(
        package.problem, reference_of(package.files), count=GOLDEN_ROWS, seed=package.problem.training.seed
    )
    columns = columns_of(rows, request_types(package.problem))
    many = scorer.score_columns(columns)
    one_by_one = np.array([scorer.score(row).probability for row in rows])
    worst = max(worst, float(np.abs(one_by_one - many).max()))
    model = open_model(package.files)
    if isinstance(model, TreeModel):
        features = run_columns(scorer.program, columns)
        apart = np.abs(model.log_odds(features) - model.tree_log_odds(features))
        worst = max(worst, float(apart.max()))
    return worst


def reference_of(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The reference window of a package."""
    told: dict[str, Any] = json.loads(files[REFERENCE])
    return told
