"""Scoring: one row and many, overrides, bands, factors."""

import json

import numpy as np
import pytest

from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.domain.calibration import READER
from millrace.domain.features import columns_of, request_types, run_columns
from millrace.domain.golden import synthetic_rows
from millrace.domain.models import open_model
from millrace.domain.package import CALIBRATION, GOLDEN, REFERENCE, open_package
from millrace.domain.scoring import Scorer, check_golden, risk_of
from millrace.settings import ROOT
from tests.domain.sample_package import sample_package

PROBLEMS = {name: load_problem(ROOT / "include" / "problems" / f"{name}.yaml") for name in ("diabetes", "loan")}
BOTH = pytest.mark.parametrize("estimator", ["xgboost", "logistic_regression"])
EACH = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=list(PROBLEMS))


@BOTH
@EACH
def test_one_row_and_many_agree(problem: Problem, estimator: str) -> None:
    package = open_package(sample_package(problem, estimator))
    scorer = Scorer(package)
    rows = synthetic_rows(problem, json.loads(package.files[REFERENCE]), count=60, seed=9)
    many = scorer.score_columns(columns_of(rows, request_types(problem)))
    assert many.tolist() == pytest.approx([scorer.score(row).probability for row in rows], abs=1e-6)
    assert check_golden(package) <= 1e-6


@BOTH
@EACH
def test_factors_and_a_constant_add_up_to_the_answer(problem: Problem, estimator: str) -> None:
    shown = problem.serving.model_copy(update={"factors": 20})
    problem = problem.model_copy(update={"serving": shown, "overrides": ()})
    package = open_package(sample_package(problem, estimator))
    scorer = Scorer(package)
    rows = [golden["row"] for golden in json.loads(package.files[GOLDEN])]
    constants = []
    for row in rows:
        told = scorer.score(row)
        odds = np.log(told.probability / (1 - told.probability))
        constants.append(odds - sum(factor.contribution for factor in told.factors))
    assert max(constants) - min(constants) < 1e-4


@BOTH
def test_factors_are_the_strongest_columns_first_with_the_values_sent(estimator: str) -> None:
    package = open_package(sample_package(PROBLEMS["diabetes"], estimator))
    row = json.loads(package.files[GOLDEN])[0]["row"]
    told = Scorer(package).score(row)
    strengths = [abs(factor.contribution) for factor in told.factors]
    assert strengths == sorted(strengths, reverse=True)
    assert len(told.factors) == PROBLEMS["diabetes"].serving.factors
    assert all(factor.value == row[factor.column] for factor in told.factors)


def test_an_override_decides_before_the_model() -> None:
    problem = PROBLEMS["loan"]
    scorer = Scorer(open_package(sample_package(problem)))
    row = {**json.loads(scorer_rows(problem))[0]["row"], "previous_loan_defaults_on_file": "Yes"}
    told = scorer.score(row)
    assert (told.probability, told.decided_by, told.factors) == (0.0, "previous_default", ())
    assert told.reason == problem.overrides[0].reason
    assert scorer.score_columns(columns_of([row], request_types(problem)))[0] == 0.0
    model = scorer.score({**row, "previous_loan_defaults_on_file": "No"})
    assert (model.decided_by, model.reason) == ("model", None)
    assert scorer.probability(row) == model.probability


def scorer_rows(problem: Problem) -> bytes:
    return sample_package(problem)[GOLDEN]


def test_a_missing_column_counts_as_null() -> None:
    scorer = Scorer(open_package(sample_package(PROBLEMS["diabetes"])))
    nothing = dict.fromkeys(PROBLEMS["diabetes"].request_columns())
    assert scorer.score({}).probability == scorer.score(nothing).probability


def test_bands_end_where_they_say() -> None:
    problem = PROBLEMS["diabetes"]
    assert [risk_of(problem, p) for p in (0.0, 0.2, 0.4999, 0.5, 1.0)] == ["low", "medium", "medium", "high", "high"]


@EACH
def test_golden_rows_obey_the_contract(problem: Problem) -> None:
    for golden in json.loads(sample_package(problem)[GOLDEN]):
        row = golden["row"]
        assert set(row) == set(problem.request_columns())
        for name, column in problem.request_columns().items():
            if row[name] is None:
                assert column.nullable
                continue
            assert column.allowed is None or row[name] in column.allowed
            assert column.min is None or row[name] >= column.min
            assert column.max is None or row[name] <= column.max
            assert column.type != "integer" or isinstance(row[name], int)
        for rule in problem.source.rules:
            assert row[rule.left] < row[rule.right]


def test_the_graph_and_the_trees_agree_on_odd_input() -> None:
    model = open_model(sample_package(PROBLEMS["diabetes"]))
    chance = np.random.default_rng(0)
    features = chance.normal(scale=1e3, size=(200, 13)).astype(np.float32)
    features[chance.random(features.shape) < 0.2] = np.nan
    features[0], features[1] = np.float32(3e38), np.float32(-3e38)
    assert np.abs(model.log_odds(features) - model.tree_log_odds(features)).max() < 1e-5


def test_calibration_stands_outside_the_model() -> None:
    files = sample_package(PROBLEMS["diabetes"])
    scorer = Scorer(open_package(files))
    row = json.loads(files[GOLDEN])[0]["row"]
    raw = open_model(files).log_odds(run_columns(scorer.program, columns_of([row], request_types(scorer.problem))))[0]
    assert READER.validate_json(files[CALIBRATION]).apply(float(raw)) == pytest.approx(scorer.score(row).probability)
