"""Drift scores: quiet on rows that did not change, loud on those that did, and the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.domain import drift
from millrace.domain.features import Columns
from millrace.domain.reference import column_reference

FEATURES = 10
REFERENCE_ROWS = 20_000


def reference_of(columns: Columns) -> dict[str, object]:
    told = {name: column_reference(values) for name, values in columns.items()}
    return {"rows": len(next(iter(columns.values()))), "columns": told}


def normal_rows(rows: int, chance: np.random.Generator, *, shift: float = 0.0) -> Columns:
    """Ten columns; the first is shifted by this many standard deviations."""
    return {f"x{n}": chance.normal(shift if n == 0 else 0.0, 1.0, rows) for n in range(FEATURES)}


def alarms(rows: int, windows: int, *, shift: float) -> float:
    """The share of windows in which the first column (shifted), or any (not shifted), is told as drifted."""
    chance = np.random.default_rng(7)
    told = reference_of(normal_rows(REFERENCE_ROWS, chance))
    names = list(normal_rows(1, chance))
    before = [drift.counts_of(told["columns"][name]) for name in names]  # type: ignore[index]
    limits = dict(zip(names, drift.thresholds(before, rows, seed=1), strict=True))
    hits = 0
    for _ in range(windows):
        window = normal_rows(rows, chance, shift=shift)
        looked_at = names[:1] if shift else names
        scores = {n: drift.psi(b, drift.counts_in(told["columns"][n], window[n])) for n, b in zip(names, before)}  # type: ignore[index]  # noqa: B905
        hits += any(scores[n] > limits[n] for n in looked_at)
    return hits / windows


@pytest.mark.parametrize("rows", [100, 1_000])
def test_unchanged_rows_alarm_in_at_most_one_window_of_a_hundred(rows: int) -> None:
    assert alarms(rows, 2_000, shift=0.0) <= 0.01


def test_a_quarter_of_a_standard_deviation_is_seen_at_a_thousand_rows() -> None:
    assert alarms(1_000, 300, shift=0.25) >= 0.99


def test_the_usual_rule_of_a_tenth_would_have_missed_it() -> None:
    chance = np.random.default_rng(3)
    told = reference_of(normal_rows(REFERENCE_ROWS, chance))
    moved, *quiet = sorted(drift.drift(told, normal_rows(1_000, chance, shift=0.25), seed=1), key=lambda d: d.column)
    assert moved.drifted
    assert moved.score < 0.1
    assert not any(one.drifted for one in quiet)


def test_a_new_level_and_missing_values_are_bins_of_their_own() -> None:
    told = column_reference(np.array(["a"] * 600 + ["b"] * 400, dtype=object))
    window = np.array(["a"] * 50 + ["b"] * 30 + ["c"] * 15 + [None] * 5, dtype=object)
    assert drift.bin_names(told) == ("a", "b", "unseen", "missing")
    assert drift.counts_in(told, window).tolist() == [50, 30, 15, 5]
    (found,) = drift.drift({"rows": 1_000, "columns": {"kind": told}}, {"kind": window}, seed=0)
    assert found.drifted
    assert found.now == (0.5, 0.3, 0.15, 0.05)


def test_columns_without_a_reference_are_left_out() -> None:
    assert drift.drift({"rows": 0, "columns": {}}, {"new": np.ones(3)}, seed=0) == ()


NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=60)


@given(NUMBERS, NUMBERS)
def test_counts_add_up_and_the_reference_counts_itself(before: list[float], now: list[float]) -> None:
    told = column_reference(np.array(before))
    assert drift.counts_in(told, np.array(before)).tolist() == drift.counts_of(told).tolist()
    assert drift.counts_in(told, np.array(now)).sum() == len(now)
    assert len(drift.bin_names(told)) == len(drift.counts_of(told))


@given(st.lists(st.integers(0, 500), min_size=2, max_size=12), st.data())
def test_the_score_is_never_negative_and_zero_for_the_same(before: list[int], data: st.DataObject) -> None:
    now = data.draw(st.lists(st.integers(0, 500), min_size=len(before), max_size=len(before)))
    p, q = np.array(before), np.array(now)
    assert drift.psi(p, q) >= 0
    assert drift.psi(p, p) == pytest.approx(0)
    assert drift.psi(p, q) == pytest.approx(drift.psi(q, p))
