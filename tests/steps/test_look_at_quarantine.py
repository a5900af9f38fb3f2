"""What a person is told of a broken row: the values that broke it, and never a sensitive one."""

from pathlib import Path

import pytest

from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.steps.look_at_quarantine import told
from tests.contract.minimal import MINIMAL

RULE = '    rules: [{name: paid_within_stay, left: paid_months, operator: "<=", right: months}]\n'
CHURN = (
    MINIMAL.replace("email: {type: string", 'email: {type: string, pattern: ".+@.+"')
    .replace("      months:", "      paid_months: {type: integer, min: 0}\n      months:")
    .replace("label:", f"{RULE}label:")
)


@pytest.fixture
def churn(tmp_path: Path) -> Problem:
    file = tmp_path / "churn.yaml"
    file.write_text(CHURN)
    return load_problem(file)


def row(reasons: list[str], raw: str | None = None) -> dict[str, object]:
    fields = [("customer", "C1"), ("email", "nobody"), ("months", "3"), ("paid_months", "5"), ("left", "no")]
    return {"path": "customers/a.csv", "row_number": 7, "reasons": reasons, "fields": fields, "raw": raw}


def test_only_the_columns_that_the_reasons_are_about_are_told(churn: Problem) -> None:
    broken = told(churn, row(["cross_column:paid_within_stay"]))
    assert broken.values == {"paid_months": "5", "months": "3"}
    assert (broken.path, broken.row_number) == ("customers/a.csv", 7)


def test_a_sensitive_value_is_not_told(churn: Problem) -> None:
    broken = told(churn, row(["pattern:email"]))
    assert "nobody" not in str(broken)
    assert list(broken.values) == ["email"]


def test_the_text_of_a_malformed_row_stays_hidden_where_it_may_hold_a_sensitive_value(churn: Problem) -> None:
    broken = told(churn, row(["row:field_count"], raw="C1,nobody@example.org"))
    assert broken.raw is None
