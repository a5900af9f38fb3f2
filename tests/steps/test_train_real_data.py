"""Our own features and models on the real files: as good as the best honest models, and no better."""

from collections.abc import Iterator

import numpy as np
import pytest

from millrace.contract.problem import Problem
from millrace.domain import features, fitting, metrics
from millrace.domain.calibration import Platt
from millrace.domain.fitting import Configuration
from millrace.domain.models import open_model
from millrace.domain.package import open_package
from millrace.domain.promotion import judge
from millrace.settings import ROOT
from millrace.steps.evaluate_candidate import evaluate_candidate
from millrace.steps.fit_candidate import fit_candidate
from millrace.steps.training_rows import LabelledRows, labelled_rows
from tests.steps.labelled_gold import real_gold, shipped

pytestmark = pytest.mark.realdata

DATA = ROOT.parent / "shared" / "data"
LOGISTIC = Configuration(estimator="logistic_regression", parameters={"c": 0.1})
TREES = Configuration(
    estimator="xgboost",
    parameters={
        "n_estimators": 200,
        "max_depth": 5,
        "learning_rate": 0.12,
        "subsample": 0.95,
        "colsample_bytree": 0.7,
        "min_child_weight": 2.0,
        "reg_lambda": 2.0,
    },
)
SMALL_TREES = Configuration(
    estimator="xgboost",
    parameters={
        "n_estimators": 120,
        "max_depth": 2,
        "learning_rate": 0.06,
        "subsample": 0.8,
        "colsample_bytree": 0.6,
        "min_child_weight": 5.0,
        "reg_lambda": 5.0,
    },
)


@pytest.fixture(scope="module")
def diabetes() -> tuple[Problem, LabelledRows]:
    problem = shipped("diabetes")
    return problem, labelled_rows(problem, real_gold(problem, DATA / "pima_diabetes.csv"))


@pytest.fixture(scope="module")
def loan() -> tuple[Problem, LabelledRows]:
    problem = shipped("loan")
    return problem, labelled_rows(problem, real_gold(problem, DATA / "loan_data.csv"))


@pytest.fixture(scope="module")
def stroke() -> tuple[Problem, LabelledRows]:
    problem = shipped("stroke")
    return problem, labelled_rows(problem, real_gold(problem, DATA / "healthcare-dataset-stroke-data.csv"))


def cross_validated(
    problem: Problem, rows: LabelledRows, configuration: Configuration, *, repeats: int, folds: int = 5
) -> Iterator[tuple[LabelledRows, np.ndarray]]:
    """Each held out part with its probabilities, everything fitted on the others (rows of overrides left out)."""
    for seed in range(repeats):
        turns = np.random.default_rng(seed).permutation(len(rows.keys)) % folds
        for turn in range(folds):
            learned, held = rows.take((turns != turn) & rows.own), rows.take(turns == turn)
            program = features.fit(problem, learned.columns)
            matrix = features.run_columns(program, learned.columns)
            model = open_model(fitting.fit_model(configuration, matrix, learned.labels))
            log_odds = model.log_odds(features.run_columns(program, held.columns))
            yield held, Platt(slope=1.0, intercept=0.0).apply_columns(log_odds)


def auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return float(metrics.auc(labels, probabilities, metrics.once(len(labels)))[0])


@pytest.mark.parametrize("configuration", [LOGISTIC, SMALL_TREES], ids=lambda one: one.estimator)
def test_diabetes_reaches_what_honest_models_reach(
    diabetes: tuple[Problem, LabelledRows], configuration: Configuration
) -> None:
    problem, rows = diabetes
    found = [auc(held.labels, told) for held, told in cross_validated(problem, rows, configuration, repeats=4)]
    assert 0.81 <= np.mean(found) <= 0.87, np.mean(found)


@pytest.mark.parametrize("configuration", [LOGISTIC, SMALL_TREES], ids=lambda one: one.estimator)
def test_stroke_reaches_what_honest_models_reach_where_one_row_in_twenty_is_positive(
    stroke: tuple[Problem, LabelledRows], configuration: Configuration
) -> None:
    problem, rows = stroke
    assert len(rows.labels) == 5_110
    assert int(rows.labels.sum()) == 249
    areas, precisions = [], []
    for held, told in cross_validated(problem, rows, configuration, repeats=2):
        areas.append(auc(held.labels, told))
        precisions.append(float(metrics.average_precision(held.labels, told, metrics.once(len(told)))[0]))
    assert 0.825 <= np.mean(areas) <= 0.875, np.mean(areas)
    assert 3 * rows.labels.mean() <= np.mean(precisions) <= 0.35, np.mean(precisions)


def test_an_honest_stroke_model_passes_the_gate(stroke: tuple[Problem, LabelledRows]) -> None:
    problem, rows = stroke
    candidate = open_package(fit_candidate(problem, rows, SMALL_TREES, {}))
    baseline = open_package(fit_candidate(problem, rows, LOGISTIC, {}))
    evidence = evaluate_candidate(problem, rows, candidate, baseline=baseline, champion=None)
    assert [one for one in judge(problem.gate, evidence) if not one.passed and one.name != "latency"] == []


def test_loan_reaches_what_honest_models_reach_and_owes_part_of_it_to_its_override(
    loan: tuple[Problem, LabelledRows],
) -> None:
    problem, rows = loan
    with_override, own = [], []
    for held, told in cross_validated(problem, rows, TREES, repeats=1):
        decided = np.where(held.own, told, problem.overrides[0].probability)
        with_override.append(auc(held.labels, decided))
        own.append(auc(held.labels[held.own], told[held.own]))
    assert np.mean(with_override) >= 0.97
    assert 0.925 <= np.mean(own) <= 0.95
    # The rule holds without exception: it is a rule, and not learned.
    assert not rows.labels[~rows.own].any()
    assert int((~rows.own).sum()) == 22_858


def test_an_honest_loan_model_passes_the_gate_and_says_what_the_override_adds(
    loan: tuple[Problem, LabelledRows],
) -> None:
    problem, rows = loan
    candidate = open_package(fit_candidate(problem, rows, TREES, {}))
    baseline = open_package(fit_candidate(problem, rows, LOGISTIC, {}))
    evidence = evaluate_candidate(problem, rows, candidate, baseline=baseline, champion=(1, baseline))
    refused = [one for one in judge(problem.gate, evidence) if not one.passed and one.name != "latency"]
    assert refused == []
    own, everyone = evidence.model_rows, evidence.all_rows
    assert own.rows < everyone.rows
    assert own.figures["auc"].value + 0.03 < everyone.figures["auc"].value
    # Against a much worse champion the interval lies wholly below zero.
    assert evidence.worse_than_champion.high < 0
    # The other way round the gate says so.
    worse = evaluate_candidate(problem, rows, baseline, baseline=baseline, champion=(2, candidate))
    names = [one.name for one in judge(problem.gate, worse) if not one.passed]
    assert "not_inferior_to_champion" in names


def test_a_planted_leak_is_refused_as_suspicious(loan: tuple[Problem, LabelledRows]) -> None:
    problem, rows = loan
    chance = np.random.default_rng(0)
    # The interest rate as it might be set after the decision.
    leaked = rows.labels * 5.0 + chance.normal(size=len(rows.labels))
    planted = LabelledRows(rows.keys, {**rows.columns, "loan_int_rate": leaked}, rows.labels, rows.folds, rows.own)
    candidate = open_package(fit_candidate(problem, planted, TREES, {}))
    baseline = open_package(fit_candidate(problem, planted, LOGISTIC, {}))
    evidence = evaluate_candidate(problem, planted, candidate, baseline=baseline, champion=None)
    (condition,) = [one for one in judge(problem.gate, evidence) if one.name == "suspiciously_good"]
    assert not condition.passed
    assert condition.observed > condition.limit == problem.gate.suspicious_auc
    assert "leak" in condition.words
