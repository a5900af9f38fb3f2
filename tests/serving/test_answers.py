"""Every row that the contract allows is answered, in finite numbers, alone as in a batch."""

import json
import math
from functools import cache
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from millrace.contract.problem import Problem
from millrace.domain.scoring import MANY
from serving.answers import predict_many, told_together
from serving.champion import InForce
from tests.domain.sample_package import sample_package
from tests.serving.world import World

WIDE_OPEN = Problem.model_validate(
    {
        "problem": "wide_open",
        "title": "No limits",
        "owner": "tests",
        "sources": {
            "rows": {
                "assigned_key": "row_content",
                "assigned_time": "file_modified",
                "columns": {
                    "a": {"type": "number"},
                    "b": {"type": "number", "nullable": True},
                    "n": {"type": "integer"},
                    "flag": {"type": "boolean", "nullable": True},
                    "word": {"type": "string", "nullable": True},
                    "seen_at": {"type": "timestamp", "nullable": True},
                    "y": {"type": "integer", "allowed": [0, 1]},
                },
                "rules": [{"name": "asked_for", "left": "seen_at", "operator": "==", "right": "seen_at"}],
            }
        },
        "label": {"column": "y"},
        "features": [
            {"kind": "numeric", "input": "a"},
            {"kind": "numeric", "input": "b", "impute": "keep"},
            {"kind": "numeric", "input": "n"},
            {"kind": "log1p", "input": "a"},
            {"kind": "ratio", "numerator": "a", "denominator": "b", "name": "a_per_b"},
            {"kind": "bin", "input": "n", "edges": [0, 10]},
            {"kind": "missing", "input": "b"},
            {"kind": "numeric", "input": "flag"},
            {"kind": "one_hot", "input": "word"},
        ],
    }
)
LARGEST = 10**18 - 1


@cache
def served(estimator: Literal["xgboost", "logistic_regression"]) -> InForce:
    world = World()
    world.deploy("wide_open", sample_package(WIDE_OPEN, estimator))
    watch = world.watch()
    watch.look()
    return watch.in_force["wide_open"]


rows = st.fixed_dictionaries(
    {"a": st.floats(allow_nan=False, allow_infinity=False), "n": st.integers(-LARGEST, LARGEST)},
    optional={
        "b": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.none() | st.booleans(),
        "word": st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=5),
        "seen_at": st.none() | st.datetimes().map(lambda time: time.isoformat()),
    },
)


def told(estimator: Literal["xgboost", "logistic_regression"], sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = predict_many(served(estimator), from_json(json.dumps(sent)), explain=True)
    content = to_json(told_together(served(estimator), found))
    predictions: list[dict[str, Any]] = json.loads(content, parse_constant=pytest.fail)["predictions"]
    assert len(predictions) == len(sent)
    return predictions


@pytest.mark.parametrize("estimator", ["xgboost", "logistic_regression"])
@settings(deadline=None)  # The first example fits the model.
@given(sent=st.lists(rows, min_size=1, max_size=MANY + 4))
def test_every_allowed_row_is_answered(
    estimator: Literal["xgboost", "logistic_regression"], sent: list[dict[str, Any]]
) -> None:
    together = told(estimator, sent)
    for row, prediction in zip(sent, together, strict=True):
        assert 0 <= prediction["probability"] <= 1
        assert all(math.isfinite(factor["contribution"]) for factor in prediction["contributing_factors"])
        (alone,) = told(estimator, [row])
        assert alone["probability"] == pytest.approx(prediction["probability"], abs=1e-6)
