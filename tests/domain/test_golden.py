"""Golden rows are requests: each must be one that the API takes as it was recorded, whatever the contract says."""

from typing import Any

import numpy as np
import pytest

from millrace.contract.problem import Problem
from millrace.domain.golden import synthetic_rows
from millrace.domain.reference import reference
from serving.request_models import request_model


def problem(columns: dict[str, Any], rules: list[dict[str, str]] | None = None) -> Problem:
    source = {"primary_key": ["id"], "assigned_key": "row_content", "assigned_time": "file_modified"}
    declared = {"id": {"type": "string"}, **columns, "y": {"type": "boolean"}}
    source |= {"columns": declared, "rules": rules or []}
    content = {"problem": "p", "title": "P", "owner": "tests", "sources": {"s": source}}
    return Problem.model_validate(content | {"label": {"column": "y", "positive": True}})


@pytest.mark.parametrize(
    ("columns", "rules", "edges"),
    [
        (
            {"n": {"type": "number"}, "start": {"type": "timestamp"}, "end": {"type": "timestamp"}},
            [{"name": "in_order", "left": "start", "operator": "<", "right": "end"}],
            [0.0, 1.0],
        ),
        ({"n": {"type": "number", "min": 0.00002, "max": 0.00003}}, None, [0.00002, 0.00003]),
        ({"n": {"type": "integer", "nullable": True, "null_values": ["0"]}}, None, [0.0, 3.0]),
        ({"n": {"type": "integer", "null_values": ["0", "-1"]}}, None, [0.0, 3.0]),
    ],
    ids=["times in order", "smaller than the rounding", "a zero is none", "never none"],
)
def test_golden_rows_are_taken_as_they_are(
    columns: dict[str, Any], rules: list[dict[str, str]] | None, edges: list[float]
) -> None:
    told = problem(columns, rules)
    request = request_model(told)
    rows = synthetic_rows(told, {"columns": {"n": {"edges": edges}}}, count=40, seed=0)
    assert [request.read(dict(row)) for row in rows] == rows


def test_golden_rows_ask_the_model_also_where_an_override_reads_free_text() -> None:
    told = problem({"n": {"type": "number"}, "rule": {"type": "string"}})
    override = {"name": "stop", "column": "rule", "equals": "stop", "probability": 0, "reason": "a rule of the house"}
    told = Problem.model_validate(told.model_dump(mode="json") | {"overrides": [override]})
    columns = {"n": np.arange(20.0), "rule": np.array(["go"] * 20, dtype=object)}
    rows = synthetic_rows(told, reference(told, columns), count=24, seed=0)
    assert {row["rule"] for row in rows} == {"go", "stop"}
