"""Fitted models as data: read from the files of a package, asked for log-odds and for each feature's share of them."""

import json
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
import onnxruntime

from millrace.contract.errors import MillraceError
from millrace.contract.model import Model
from millrace.domain.features import Floats, Matrix
from millrace.domain.native_trees import Trees

COEFFICIENTS, GRAPH, TREES = "coefficients.json", "model.onnx", "model.ubj"
ModelKind = Literal["logistic_regression", "xgboost"]


class FittedModel(Protocol):
    """What scoring needs of a model; log-odds are those before calibration."""

    def log_odds(self, features: Matrix) -> Floats:
        """Shape (rows,) from (rows, features)."""

    def contributions(self, features: Matrix) -> Floats:
        """Shape (rows, features): with a constant they add up to the log-odds."""


class Coefficients(Model):
    """A logistic regression with its standardisation folded in: log-odds = intercept + weights · features."""

    intercept: float
    weights: tuple[float, ...]
    center: tuple[float, ...]
    """Mean of each feature in training: stands in for a missing one, and is what contributions are told against."""


class LogisticModel:
    """A logistic regression. Contributions are exact: weight × (feature − mean)."""

    def __init__(self, coefficients: Coefficients) -> None:
        self._intercept = coefficients.intercept
        self._weights = np.array(coefficients.weights)
        self._center = np.array(coefficients.center)

    def log_odds(self, features: Matrix) -> Floats:
        return np.asarray(self._filled(features) @ self._weights + self._intercept, dtype=np.float64)

    def contributions(self, features: Matrix) -> Floats:
        return np.asarray((self._filled(features) - self._center) * self._weights, dtype=np.float64)

    def _filled(self, features: Matrix) -> Floats:
        return np.where(np.isnan(features), self._center, features)


class TreeModel:
    """Gradient-boosted trees: the ONNX graph answers, the native trees explain (TreeSHAP, exact)."""

    def __init__(self, graph: bytes, trees: bytes) -> None:
        options = onnxruntime.SessionOptions()
        # One thread: a row takes microseconds, and sums come out the same whatever the machine.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._trees = Trees(trees)

    def log_odds(self, features: Matrix) -> Floats:
        (answer,) = self._session.run(["probabilities"], {"features": features})
        scores: Floats = answer[:, 1].astype(np.float64)
        return scores

    def contributions(self, features: Matrix) -> Floats:
        return self._trees.contributions(features)

    def tree_log_odds(self, features: Matrix) -> Floats:
        """The native trees' own answer, for the parity check against the graph."""
        return self._trees.log_odds(features)


def open_model(files: Mapping[str, bytes]) -> FittedModel:
    """The model among the files of a package.

    Raises:
        MillraceError: If there is none.
    """
    match model_kind(files):
        case "logistic_regression":
            return LogisticModel(Coefficients.model_validate(json.loads(files[COEFFICIENTS])))
        case "xgboost":
            return TreeModel(files[GRAPH], files[TREES])


def model_kind(files: Mapping[str, bytes]) -> ModelKind:
    """Which estimator the files of a package hold."""
    if COEFFICIENTS in files:
        return "logistic_regression"
    if GRAPH in files and TREES in files:
        return "xgboost"
    raise MillraceError(
        "A model package holds no model",
        place="the package's files",
        found=", ".join(sorted(files)) or "nothing",
        expected=f"{COEFFICIENTS}, or {GRAPH} and {TREES}",
        fix="train again: the package was not written by Millrace, or only in part",
    )
