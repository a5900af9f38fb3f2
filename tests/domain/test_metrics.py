"""Metrics over resamples agree with scikit-learn, row for row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from millrace.domain import evaluation, metrics
from millrace.domain.fitting import fit_platt

samples = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.01, 0.2, 0.2001, 0.5, 0.73, 0.99]), st.integers(0, 3)),
    min_size=4,
    max_size=40,
).filter(lambda rows: {y for y, _, count in rows if count} == {0, 1})


@given(samples)
def test_as_scikit_learn_says_with_weights(rows: list[tuple[int, float, int]]) -> None:
    labels = np.array([y for y, _, _ in rows], dtype=np.int8)
    probabilities = np.array([p for _, p, _ in rows])
    counts = np.array([[float(count) for _, _, count in rows]])
    weights = counts[0]
    told = {name: metric(labels, probabilities, counts)[0] for name, metric in metrics.METRICS.items()}
    assert told["auc"] == pytest.approx(roc_auc_score(labels, probabilities, sample_weight=weights))
    expected = average_precision_score(labels, probabilities, sample_weight=weights)
    assert told["average_precision"] == pytest.approx(expected)
    assert told["brier"] == pytest.approx(brier_score_loss(labels, probabilities, sample_weight=weights))
    assert told["log_loss"] == pytest.approx(log_loss(labels, probabilities, sample_weight=weights))


def test_one_class_only_has_no_auc() -> None:
    labels, probabilities = np.ones(5, dtype=np.int8), np.linspace(0, 1, 5)
    assert np.isnan(metrics.auc(labels, probabilities, metrics.once(5)))[0]
    assert evaluation.evaluate(labels, probabilities, seed=0).figures["auc"].value is None


def test_resamples_are_the_same_for_the_same_seed_and_count_every_row_once_on_average() -> None:
    first = np.concatenate(list(metrics.resamples(300, seed=3, count=50)))
    assert np.array_equal(first, np.concatenate(list(metrics.resamples(300, seed=3, count=50))))
    assert first.shape == (50, 300)
    assert (first.sum(axis=1) == 300).all()


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        figure = evaluation.mean_interval(chance.normal(size=80), seed=1)
        assert figure.low is not None
        assert figure.high is not None
        held += figure.low <= 0.0 <= figure.high
    assert 88 <= held <= 99


def test_an_honest_model_exceeds_its_ece_limit_about_once_in_a_hundred() -> None:
    chance = np.random.default_rng(1)
    once, exceeded = metrics.once(400), 0
    for _ in range(100):
        log_odds = chance.normal(size=600) * 1.5
        labels = (chance.random(600) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
        # Calibrated on 200 rows and judged on the other 400, as a candidate is.
        told = fit_platt(log_odds[:200], labels[:200]).apply_columns(log_odds[200:])
        limit = evaluation.ece_limit(told, calibration_rows=200, seed=0)
        exceeded += metrics.ece(labels[200:], told, once)[0] > limit
    assert exceeded <= 5


def test_a_model_that_says_too_much_is_above_its_ece_limit() -> None:
    chance = np.random.default_rng(1)
    probabilities = chance.uniform(size=400)
    wrong = np.clip(probabilities + 0.2, 0, 1)
    labels = (chance.random(400) < probabilities).astype(np.int8)
    limit = evaluation.ece_limit(wrong, calibration_rows=300, seed=0)
    assert metrics.ece(labels, wrong, metrics.once(400))[0] > limit
