"""The trees by XGBoost's C interface answer as its own Python does, to the last bit, in any number of threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xgboost

from millrace.contract.errors import MillraceError
from millrace.contract.loading import get_problem
from millrace.domain.models import TREES
from millrace.domain.native_trees import Trees
from millrace.settings import ROOT
from tests.domain.sample_package import sample_package

UBJ = sample_package(get_problem("diabetes", ROOT / "include" / "problems"))[TREES]


def odd_rows(count: int, seed: int = 0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    rows = chance.normal(scale=300, size=(count, 13)).astype(np.float32)
    rows[chance.random(rows.shape) < 0.3] = np.nan
    rows[0] = np.nan
    return rows


@pytest.mark.parametrize("count", [1, 2, 500])
def test_they_answer_as_xgboost_itself_does(count: int) -> None:
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(UBJ))
    rows = odd_rows(count)
    own = xgboost.DMatrix(rows, nthread=1)
    shares = booster.predict(own, pred_contribs=True)
    assert np.array_equal(Trees(UBJ).log_odds(rows), booster.predict(own, output_margin=True).astype(np.float64))
    assert np.array_equal(Trees(UBJ).contributions(rows), shares[:, :-1].astype(np.float64))
    constant = shares[:, -1].astype(np.float64)
    assert np.allclose(Trees(UBJ).contributions(rows).sum(axis=1) + constant, Trees(UBJ).log_odds(rows), atol=1e-4)


def test_rows_may_lie_in_memory_as_they_like() -> None:
    rows = odd_rows(40)
    for laid in (np.asfortranarray(rows), np.repeat(rows, 2, axis=0)[::2]):
        assert np.array_equal(Trees(UBJ).contributions(laid), Trees(UBJ).contributions(rows))


def test_threads_do_not_see_each_others_answers() -> None:
    trees = Trees(UBJ)
    many = [odd_rows(7, seed) for seed in range(64)]
    alone = [trees.contributions(rows) for rows in many]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            together = list(pool.map(trees.contributions, many))
            assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_an_answer_stays_when_more_is_asked() -> None:
    trees = Trees(UBJ)
    first = trees.log_odds(odd_rows(5))
    kept = first.copy()
    trees.log_odds(odd_rows(5, seed=9))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("damaged", [b"", b"nonsense", UBJ[: len(UBJ) // 2]], ids=["empty", "nonsense", "half"])
def test_damaged_trees_are_refused(damaged: bytes) -> None:
    with pytest.raises(MillraceError, match="XGBoost refuses"):
        Trees(damaged)
