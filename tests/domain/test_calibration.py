"""Calibration: one value and many agree, and it moves probabilities towards what happened."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.domain import metrics
from millrace.domain.calibration import READER, Isotonic, Platt
from millrace.domain.fitting import fit_isotonic, fit_platt

log_odds = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


@given(log_odds)
def test_one_value_and_many_agree(values: list[float]) -> None:
    for told in (
        Platt(slope=1.3, intercept=-0.4),
        Isotonic(log_odds=(-2.0, 0.0, 0.5, 3.0), probabilities=(0.1, 0.1, 0.7, 0.9)),
        Isotonic(log_odds=(0.0,), probabilities=(0.4,)),
    ):
        many = told.apply_columns(np.array(values))
        assert many.tolist() == pytest.approx([told.apply(value) for value in values], abs=1e-12)
        assert ((many >= 0) & (many <= 1)).all()
        assert READER.validate_json(told.model_dump_json()) == told


def _overconfident(rows: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(5)
    truth = chance.normal(size=rows)
    labels = (chance.random(rows) < 1 / (1 + np.exp(-truth))).astype(np.int8)
    return truth * 3 + 1, labels


@pytest.mark.parametrize("fit", [fit_platt, fit_isotonic])
def test_an_overconfident_model_is_set_right(fit) -> None:
    told, labels = _overconfident(6_000)
    calibration = fit(told[:3_000], labels[:3_000])
    before = Platt(slope=1.0, intercept=0.0).apply_columns(told[3_000:])
    after = calibration.apply_columns(told[3_000:])
    once = metrics.once(3_000)
    assert metrics.ece(labels[3_000:], before, once)[0] > 0.1
    assert metrics.ece(labels[3_000:], after, once)[0] < 0.04
    assert after.min() > 0
    assert after.max() < 1


def test_platt_finds_slope_and_intercept() -> None:
    found = fit_platt(*_overconfident(20_000))
    assert found.slope == pytest.approx(1 / 3, abs=0.03)
    assert found.intercept == pytest.approx(-1 / 3, abs=0.05)
