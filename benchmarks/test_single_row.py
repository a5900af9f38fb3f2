"""One row: features + model within 50 µs, beside a call that does nothing, so that the machine's own speed shows."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from millrace.contract.loading import load_problem
from millrace.domain import features, fitting
from millrace.domain.fitting import Configuration
from millrace.domain.models import open_model
from millrace.domain.package import open_package
from millrace.domain.scoring import Scorer
from millrace.settings import ROOT
from millrace.steps.build_package import build_package
from tests.domain.sample_package import sample_columns

LIMIT_MICROSECONDS = 50
CALLS = 4_000
LOAN = load_problem(ROOT / "include" / "problems" / "loan.yaml")
MODELS = {
    "150 trees of depth 3": Configuration(estimator="xgboost", parameters={"n_estimators": 150, "max_depth": 3}),
    "logistic regression": Configuration(estimator="logistic_regression", parameters={"c": 1.0}),
}


def scorer_of(configuration: Configuration) -> Scorer:
    return Scorer(open_package(files_of(configuration)))


def files_of(configuration: Configuration) -> dict[str, bytes]:
    """A package of the loan problem, fitted on synthetic rows."""
    columns = sample_columns(LOAN, rows=3_000)
    program = features.fit(LOAN, columns)
    matrix = features.run_columns(program, columns)
    labels = (np.random.default_rng(0).random(len(matrix)) < 1 / (1 + np.exp(-matrix[:, 0] / 50))).astype(np.int8)
    model = fitting.fit_model(configuration, matrix, labels)
    calibration = fitting.fit_platt(open_model(model).log_odds(matrix), labels)
    return build_package(LOAN, program=program, model=model, calibration=calibration, training=columns, provenance={})


def microseconds(call: Callable[[Mapping[str, Any]], object], row: Mapping[str, Any]) -> tuple[float, float]:
    """p50 and p99 of single calls."""
    for _ in range(300):
        call(row)
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter_ns()
        call(row)
        taken.append((time.perf_counter_ns() - began) / 1000)
    cut = statistics.quantiles(taken, n=100)
    return cut[49], cut[98]


@pytest.mark.bench
@pytest.mark.parametrize("name", MODELS)
def test_one_row(name: str) -> None:
    scorer = scorer_of(MODELS[name])
    row = {
        "person_age": 31.0,
        "person_education": "Bachelor",
        "person_income": 64_000.0,
        "person_emp_exp": 6.0,
        "person_home_ownership": "RENT",
        "loan_amnt": 9_000.0,
        "loan_intent": "MEDICAL",
        "loan_int_rate": 11.5,
        "loan_percent_income": 0.14,
        "cb_person_cred_hist_length": 5.0,
        "credit_score": 640,
        "previous_loan_defaults_on_file": "No",
    }
    nothing = microseconds(lambda _row: 0.5, row)
    answer = microseconds(scorer.probability, row)
    explained = microseconds(scorer.score, row)
    print(f"\n{name}, {len(scorer.program.names())} features   p50 µs   p99 µs   × no-op")
    for what, (p50, p99) in {
        "no-op": nothing,
        "features + model + calibration": answer,
        "the same with factors": explained,
    }.items():
        print(f"  {what:32} {p50:8.2f} {p99:8.2f} {p50 / nothing[0]:9.0f}")
    assert answer[0] <= LIMIT_MICROSECONDS
