"""The closed list of constraints, and what is read as a value of a type."""

import re

from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.constraints import RAW_PATTERNS, column_constraints, reason, source_constraints
from millrace.contract.source import Column, CrossColumnRule, Source


@given(st.integers(min_value=-(10**18) + 1, max_value=10**18 - 1))
def test_every_integer_that_fits_is_read(value: int) -> None:
    assert re.fullmatch(RAW_PATTERNS["integer"], str(value))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read(value: float) -> None:
    assert re.fullmatch(RAW_PATTERNS["number"], repr(value))


@given(st.datetimes())
def test_every_iso_time_is_read(value: object) -> None:
    assert re.fullmatch(RAW_PATTERNS["timestamp"], str(value))


def test_what_only_some_engines_would_cast_is_refused() -> None:
    for text in ("1d", "0x10", "NaN", "Infinity", " 1", "1_000", "1,5", "", "١"):
        assert not re.fullmatch(RAW_PATTERNS["number"], text)
        assert not re.fullmatch(RAW_PATTERNS["integer"], text)


def test_reasons_name_the_constraint_and_the_column() -> None:
    column = Column(type="integer", min=0, allowed=(1, 2))
    assert [reason(c) for c in column_constraints("Age", column)] == [
        "type:Age",
        "required:Age",
        "range:Age",
        "allowed:Age",
    ]


def test_rules_between_columns_come_last() -> None:
    source = Source(
        assigned_key="row_content",
        assigned_time="file_modified",
        columns={"a": Column(type="number"), "b": Column(type="integer")},
        rules=(CrossColumnRule(name="ordered", left="a", operator="<=", right="b"),),
    )
    assert reason(source_constraints(source)[-1]) == "cross_column:ordered"
