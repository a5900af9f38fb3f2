"""The request model accepts exactly what the contract allows, and tells every broken constraint."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.label import Label
from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.contract.source import Column, CrossColumnRule
from millrace.settings import ROOT
from serving.faults import MOST_UNKNOWN, faults_of_row
from serving.request_models import request_model
from tests.contract.parity_corpus import CORPUS, Case

DIABETES = request_model(get_problem("diabetes", ROOT / "include" / "problems"))
LOAN = request_model(get_problem("loan", ROOT / "include" / "problems"))
VISIT = {"Pregnancies": 2, "Glucose": 120, "BloodPressure": 70, "SkinThickness": 20, "Insulin": 80, "BMI": 30.5}
VISIT |= {"DiabetesPedigreeFunction": 0.4, "Age": 40}


def problem_of(case: Case) -> Problem:
    source = case.source()
    # A time alone is no input of a model, so there is one more column; both stay null.
    more = {"outcome": Column(type="integer", nullable=True), "more": Column(type="number", nullable=True)}
    # A caller is asked for a time where a rule compares it; one with itself always holds.
    asked = [
        CrossColumnRule(name=f"asked_{name}", left=name, operator="==", right=name)
        for name, column in source.columns.items()
        if column.type == "timestamp"
    ]
    update = {"columns": {**source.columns, **more}, "rules": (*source.rules, *asked)}
    source = source.model_copy(update=update)
    return Problem(problem="parity", title="x", owner="x", sources={"s": source}, label=Label(column="outcome"))


@pytest.mark.parametrize("case", [c for c in CORPUS if c.value is not None], ids=lambda c: c.name)
def test_reasons_are_those_of_every_other_engine(case: Case) -> None:
    model = request_model(problem_of(case))
    sent = dict(case.value or {})
    assert {fault.reason for fault in faults_of_row(model, 0, sent)} == case.reasons
    assert (model.read(sent) is None) == bool(case.reasons)


def test_a_valid_row_comes_back_as_the_scorer_takes_it() -> None:
    row = DIABETES.read({**VISIT, "Glucose": 120})
    assert row == {**VISIT, "Glucose": 120.0}
    assert isinstance(row["Glucose"], float)


def test_a_nullable_column_may_be_null_left_out_or_spelled() -> None:
    left_out = {name: value for name, value in VISIT.items() if name != "Insulin"}
    for sent in ({**VISIT, "Insulin": None}, left_out, {**VISIT, "Insulin": 0}, {**VISIT, "Insulin": "NA"}):
        row = DIABETES.read(sent)
        assert row is not None
        assert row["Insulin"] is None


def test_every_fault_of_a_row_is_told_at_once() -> None:
    sent = {**VISIT, "Age": 300, "BMI": "thick", "Glukose": 5}
    del sent["Pregnancies"]
    found = {f.reason: f for f in faults_of_row(DIABETES, 3, sent)}
    assert set(found) == {"unknown:Glukose", "required:Pregnancies", "type:BMI", "range:Age"}
    assert found["unknown:Glukose"].expected == 'did you mean "Glucose"?'
    assert (found["range:Age"].found, found["range:Age"].expected) == ("300", "18 to 120 years")
    assert {f.row for f in found.values()} == {3}


def test_the_value_of_an_unknown_column_is_not_echoed() -> None:
    (fault,) = faults_of_row(DIABETES, 0, {**VISIT, "name": "Ann Smith"})
    assert "Ann" not in str(fault)


def test_the_key_that_a_caller_tells_finds_the_row_of_the_lake_and_is_no_input() -> None:
    keyed = {**VISIT, "visit_id": "V00000001"}
    assert DIABETES.read(keyed) == DIABETES.read(VISIT)
    assert DIABETES.entity(keyed) == '["V00000001"]'
    assert DIABETES.entity(VISIT) is None
    assert DIABETES.read({**VISIT, "visit_id": "1"}) is None


def test_what_is_sensitive_is_taken_and_dropped_unread_and_a_sensitive_key_is_a_hash() -> None:
    columns = {"who": Column(type="string", sensitive=True), "a": Column(type="number"), "y": Column(type="integer")}
    source = {"primary_key": ["who"], "assigned_time": "file_modified", "columns": columns}
    made = Problem.model_validate(
        {"problem": "p", "title": "P", "owner": "tests", "sources": {"s": source}, "label": {"column": "y"}}
    )
    model = request_model(made)
    for value in ("Ann Smith", 5, None, ["a"], {}):
        assert model.read({"a": 1.0, "who": value}) == {"a": 1.0}
        assert faults_of_row(model, 0, {"a": 1.0, "who": value}) == []
    assert model.entity({"who": "Ann Smith"}) == hashlib.sha256(b'["Ann Smith"]').hexdigest()
    assert model.entity({"who": []}) is None


def test_rules_between_columns_hold() -> None:
    assert LOAN.rules
    problem = {"person_emp_exp": 50, "person_age": 30}
    assert [rule.name for rule in LOAN.broken_rules(problem)] == ["employed_within_lifetime"]


def test_a_column_may_have_any_name_the_contract_allows() -> None:
    names = ["copy", "json", "schema", "model_fields", "model_config", "validate", "self", "class", "from"]
    columns = {name: Column(type="number") for name in names} | {"y": Column(type="integer")}
    source = {"assigned_key": "row_content", "assigned_time": "file_modified", "columns": columns}
    problem = Problem(problem="p", title="x", owner="x", sources={"s": source}, label=Label(column="y"))  # type: ignore[dict-item]
    assert request_model(problem).read(dict.fromkeys(names, 1)) == dict.fromkeys(names, 1.0)


json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just([1]) | st.just({})
cells = json_values | st.floats(min_value=0, max_value=700) | st.integers(min_value=0, max_value=130) | st.just("NA")


@given(st.dictionaries(st.sampled_from([*VISIT, "Outcome", "glucose"]), cells, max_size=4), st.booleans())
def test_what_is_refused_has_a_reason_and_what_is_accepted_has_none(sent: dict[str, object], completed: bool) -> None:
    row = {**VISIT, **sent} if completed else sent
    assert (DIABETES.read(row) is None) == bool(faults_of_row(DIABETES, 0, row))


def test_a_row_of_countless_unknown_keys_is_told_in_bounded_time() -> None:
    row = {f"column_{number}": 0 for number in range(50_000)}
    told = faults_of_row(DIABETES, 0, row)
    assert sum(fault.reason.startswith("unknown:") for fault in told) == MOST_UNKNOWN
