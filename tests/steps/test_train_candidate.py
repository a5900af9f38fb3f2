"""A candidate from drawn rows: the same again byte for byte, measured beside baseline and champion."""

import numpy as np
import pytest

from millrace.contract.source import Column
from millrace.domain import fitting
from millrace.domain.features import Columns
from millrace.domain.fitting import Configuration
from millrace.domain.package import content_hash, open_package
from millrace.domain.promotion import judge
from millrace.domain.scoring import Scorer
from millrace.domain.splitting import CALIBRATION, HOLDOUT
from millrace.steps.evaluate_candidate import evaluate_candidate
from millrace.steps.fit_candidate import fit_candidate
from millrace.steps.model_card import model_card
from millrace.steps.training_rows import labelled_rows
from tests.steps.labelled_gold import drawn_gold, shipped

DIABETES = shipped("diabetes")
ROWS = labelled_rows(DIABETES, drawn_gold(DIABETES, 800))
LOGISTIC = Configuration(estimator="logistic_regression", parameters={"c": 1.0})
TREES = Configuration(estimator="xgboost", parameters={"n_estimators": 40, "max_depth": 2, "subsample": 0.8})


@pytest.mark.parametrize("configuration", [LOGISTIC, TREES], ids=lambda one: one.estimator)
def test_the_same_rows_and_configuration_give_the_same_content(configuration: Configuration) -> None:
    one, other = (fit_candidate(DIABETES, ROWS, configuration, {}) for _ in range(2))
    assert content_hash(one) == content_hash(other)


def test_another_row_gives_another_content() -> None:
    fewer = ROWS.take(np.arange(len(ROWS.keys)) > 3)
    assert content_hash(fit_candidate(DIABETES, fewer, TREES, {})) != content_hash(
        fit_candidate(DIABETES, ROWS, TREES, {})
    )


def test_no_package_holds_a_persons_row() -> None:
    files = fit_candidate(DIABETES, ROWS, LOGISTIC, {})
    told = b"".join(files.values()).decode()
    # Pedigree values are drawn with 16 digits, so one of them would give a person away.
    pedigrees = ROWS.columns["DiabetesPedigreeFunction"].tolist()
    assert sum(repr(value) in told for value in pedigrees) <= 10  # no more than the edges of the reference bins


def test_evidence_stands_on_the_holdout_alone() -> None:
    candidate = open_package(fit_candidate(DIABETES, ROWS, TREES, {}))
    baseline = open_package(fit_candidate(DIABETES, ROWS, LOGISTIC, {}))
    evidence = evaluate_candidate(DIABETES, ROWS, candidate, baseline=baseline, champion=(4, candidate))
    assert evidence.model_rows.rows == len(ROWS.fold(HOLDOUT).keys)
    assert evidence.champion_version == 4
    assert evidence.worse_than_champion.value == 0.0
    assert {one.column for one in evidence.groups} == {"Age"}
    assert evidence.parity < 1e-5
    assert all(one.passed for one in judge(DIABETES.gate, evidence) if one.name == "not_inferior_to_champion")


def test_a_champion_that_needs_a_column_gold_lost_is_not_compared() -> None:
    package = open_package(fit_candidate(DIABETES, ROWS, LOGISTIC, {}))
    columns: Columns = {name: values for name, values in ROWS.columns.items() if name != "Insulin"}
    source = DIABETES.source
    fewer = source.model_copy(update={"columns": {n: c for n, c in source.columns.items() if n != "Insulin"}})
    narrower = DIABETES.model_copy(update={"sources": {DIABETES.source_name: fewer}})
    rows = type(ROWS)(ROWS.keys, columns, ROWS.labels, ROWS.folds, ROWS.own)
    candidate = open_package(fit_candidate(narrower, rows, LOGISTIC, {}))
    evidence = evaluate_candidate(narrower, rows, candidate, baseline=candidate, champion=(1, package))
    assert evidence.worse_than_champion is None
    assert "Insulin" in evidence.champion_note


def test_a_champion_that_reads_a_column_as_another_type_is_not_compared() -> None:
    package = open_package(fit_candidate(DIABETES, ROWS, LOGISTIC, {}))
    words = Column(type="string", allowed=("low", "high"))
    source = DIABETES.source.model_copy(update={"columns": {**DIABETES.source.columns, "Pregnancies": words}})
    changed = DIABETES.model_copy(update={"sources": {DIABETES.source_name: source}})
    said = np.where(ROWS.columns["Pregnancies"].astype(float) > 2, "high", "low").astype(object)
    rows = type(ROWS)(ROWS.keys, {**ROWS.columns, "Pregnancies": said}, ROWS.labels, ROWS.folds, ROWS.own)
    candidate = open_package(fit_candidate(changed, rows, LOGISTIC, {}))
    evidence = evaluate_candidate(changed, rows, candidate, baseline=candidate, champion=(1, package))
    assert evidence.worse_than_champion is None
    assert "reads Pregnancies as integer" in evidence.champion_note


def test_balanced_weights_leave_the_prevalence_to_calibration() -> None:
    chance = np.random.default_rng(0)
    gold = drawn_gold(DIABETES, 10_000)
    rows = labelled_rows(DIABETES, gold)
    # One positive in five stays: a rare outcome.
    rare = rows.take((rows.labels == 0) | (chance.random(len(rows.keys)) < 0.2))
    balanced = TREES.model_copy(update={"balanced": True})
    scorer = Scorer(open_package(fit_candidate(DIABETES, rare, balanced, {})))
    held = rare.fold(HOLDOUT)
    assert scorer.model_columns(held.columns).mean() == pytest.approx(held.labels.mean(), abs=0.025)


def test_isotonic_takes_many_rows() -> None:
    held = ROWS.fold(CALIBRATION)
    log_odds = np.linspace(-2, 2, len(held.labels))
    assert fitting.fit_calibration(log_odds, held.labels).kind == "platt"
    chance = np.random.default_rng(0)
    many = chance.normal(size=25_000)
    labels = (chance.random(25_000) < 1 / (1 + np.exp(-many))).astype(np.int8)
    assert fitting.fit_calibration(many, labels).kind == "isotonic"


def test_the_card_tells_a_person_what_matters() -> None:
    candidate = open_package(fit_candidate(DIABETES, ROWS, TREES, {}))
    evidence = evaluate_candidate(DIABETES, ROWS, candidate, baseline=candidate, champion=None)
    training = {
        "evidence": evidence.model_dump(mode="json"),
        "counts": ROWS.counts(),
        "snapshot_id": 7,
        "configuration": TREES.model_dump(mode="json"),
        "calibration": "platt",
        "model_kind": "xgboost",
        "content_hash": candidate.manifest.content_hash,
    }
    card = model_card(DIABETES, run_key="r1", training=training, trials=16, conditions=judge(DIABETES.gate, evidence))
    for words in ("What it predicts", "`Outcome` is `1`", "800 labelled rows", "| auc |", "Age: below 30", "reproduce"):
        assert words in card
