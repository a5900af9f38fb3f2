"""Folds for ever: a row stays where it is, whatever else comes."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.modelling import Split
from millrace.domain.splitting import CALIBRATION, HOLDOUT, TRAIN, assign_folds, search_folds

keys = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=50, unique=True)
NO_TIMES = np.zeros(0, dtype=np.int64)


@given(keys, keys)
def test_new_rows_move_no_old_row(old: list[str], new: list[str]) -> None:
    split = Split()
    before = dict(zip(old, assign_folds(split, old, NO_TIMES, {}).tolist(), strict=True))
    everyone = list(dict.fromkeys(reversed([*old, *new])))
    after = dict(zip(everyone, assign_folds(split, everyone, NO_TIMES, {}).tolist(), strict=True))
    assert before.items() <= after.items()


def test_shares_are_about_those_asked_for() -> None:
    many = [f'["{number}"]' for number in range(20_000)]
    folds = assign_folds(Split(holdout_share=0.2, calibration_share=0.1), many, NO_TIMES, {})
    assert abs(np.mean(folds == HOLDOUT) - 0.2) < 0.01
    assert abs(np.mean(folds == CALIBRATION) - 0.1) < 0.01
    turns = search_folds(Split(), many, {}, 3)
    assert set(turns.tolist()) == {0, 1, 2}
    # The turns of the search say nothing about the folds.
    assert abs(np.mean(turns[folds == TRAIN] == 0) - 1 / 3) < 0.02


def test_equal_rows_of_a_keyless_file_are_never_torn() -> None:
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(500)]
    names = [f"{digest}:{count}" for digest in digests for count in (1, 2, 3)]
    for folds in (assign_folds(Split(), names, NO_TIMES, {}), search_folds(Split(), names, {}, 3)):
        assert (folds.reshape(-1, 3) == folds[::3, None]).all()
        assert len(set(folds.tolist())) == 3


def test_another_salt_draws_other_folds() -> None:
    many = [str(number) for number in range(1_000)]
    one, other = (assign_folds(Split(salt=salt), many, NO_TIMES, {}) for salt in ("a", "b"))
    assert 0.2 < np.mean(one != other) < 0.8


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=30))
def test_a_group_is_never_torn(groups: list[str | None]) -> None:
    split = Split(by="group", group="user")
    names = [str(number) for number in range(len(groups))]
    columns = {"user": np.array(groups, dtype=object)}
    for folds in (assign_folds(split, names, NO_TIMES, columns), search_folds(split, names, columns, 3)):
        for group in {one for one in groups if one is not None}:
            assert len({fold for fold, of in zip(folds.tolist(), groups, strict=True) if of == group}) == 1


@given(st.lists(st.integers(0, 20), min_size=20, max_size=200))
def test_by_time_the_newest_are_held_out_and_equal_times_stay_together(times: list[int]) -> None:
    when = np.array(times, dtype=np.int64)
    folds = assign_folds(Split(by="time"), [str(n) for n in range(len(times))], when, {})
    order = np.argsort(when, kind="stable")
    assert (np.diff(folds[order]) >= 0).all()
    for time in set(times):
        assert len(set(folds[when == time].tolist())) == 1
