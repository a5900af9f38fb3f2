"""The feature program: one row and many rows give the same numbers, and what cannot be fitted says why."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.domain.feature_rows import compile_row
from millrace.domain.features import columns_of, fit, run_columns

COLUMNS = {
    "amount": {"type": "number", "nullable": True},
    "count": {"type": "integer", "nullable": True},
    "flag": {"type": "boolean", "nullable": True},
    "colour": {"type": "string", "allowed": ["red", "green"], "nullable": True},
    "grade": {"type": "integer", "allowed": [1, 2, 3], "nullable": True},
    "place": {"type": "string", "nullable": True},
    "path": {"type": "string", "nullable": True},
    "when": {"type": "timestamp", "nullable": True},
}
NODES = [
    {"kind": "numeric", "input": "amount", "name": "kept", "impute": "keep", "min": -10, "max": 1e6},
    {"kind": "numeric", "input": "amount", "name": "median"},
    {"kind": "numeric", "input": "count", "impute": 3},
    {"kind": "numeric", "input": "flag"},
    {"kind": "log1p", "input": "amount"},
    {"kind": "log1p", "input": "median", "name": "log_median"},
    {"kind": "ratio", "numerator": "median", "denominator": "count", "name": "each", "when_zero": -1},
    {"kind": "bin", "input": "amount", "edges": [5, 0, 100]},
    {"kind": "missing", "input": "colour"},
    {"kind": "missing", "input": "amount"},
    {"kind": "one_hot", "input": "colour"},
    {"kind": "one_hot", "input": "grade"},
    {"kind": "one_hot", "input": "flag", "name": "said"},
    {"kind": "one_hot", "input": "place"},
    {"kind": "one_hot", "input": "path", "depth": 2},
    {"kind": "time_part", "input": "when", "part": "hour"},
    {"kind": "time_part", "input": "when", "part": "weekday"},
    {"kind": "time_part", "input": "at", "part": "hour"},
]
TYPES = {name: column["type"] for name, column in COLUMNS.items()} | {"at": "timestamp"}
FITTED_ON = [
    {
        "amount": 1.5,
        "count": 2,
        "flag": True,
        "colour": "red",
        "grade": 1,
        "place": "here",
        "path": "a.b.c",
        "when": "2019-10-01 23:00:00 UTC",
    },
    {"amount": None, "count": None, "flag": False, "colour": None, "grade": 3, "place": "there"},
    {"amount": 7.0, "count": 0, "flag": None, "colour": "green", "grade": None, "place": None},
]


def problem(features: list[dict[str, Any]] = NODES, columns: dict[str, Any] = COLUMNS) -> Problem:
    source = {
        "primary_key": ["id"],
        "event_timestamp": "at",
        "columns": {"id": {"type": "string"}, "at": {"type": "timestamp"}, "y": {"type": "integer"}, **columns},
    }
    told = {"problem": "p", "title": "P", "owner": "o", "label": {"column": "y"}, "sources": {"s": source}}
    return Problem.model_validate(told | {"features": features})


rows = st.fixed_dictionaries(
    {
        "amount": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "count": st.none() | st.integers(-(10**18), 10**18),
        "flag": st.none() | st.booleans(),
        "colour": st.none() | st.sampled_from(["red", "green", "blue", ""]),
        "grade": st.none() | st.integers(-1, 5),
        "place": st.none() | st.sampled_from(["here", "there", "nowhere"]),
        "path": st.none() | st.sampled_from(["a", "a.b", "a.b.c", "a.c", ".", ""]),
        "when": st.none() | st.datetimes(timezones=st.just(UTC)) | st.datetimes().map(datetime.isoformat),
        "at": st.datetimes().map(datetime.isoformat),
    }
)


@given(st.lists(rows, min_size=1, max_size=8))
@example([{"amount": -0.0, "count": 0, "flag": None, "colour": None, "grade": None, "place": None}])
@example([{"amount": 1e300, "count": 1, "flag": True, "colour": "red", "grade": 2, "place": "here"}])
def test_one_row_and_many_rows_agree_exactly(told: list[dict[str, Any]]) -> None:
    program = fit(problem(), columns_of(FITTED_ON, TYPES))
    many = run_columns(program, columns_of(told, TYPES))
    one_by_one = np.concatenate([compile_row(program)(row) for row in told])
    assert many.dtype == one_by_one.dtype == np.float32
    np.testing.assert_array_equal(many, one_by_one)


def test_a_program_survives_json() -> None:
    program = fit(problem(), columns_of(FITTED_ON, TYPES))
    again = type(program).model_validate_json(program.model_dump_json())
    assert again == program


def test_medians_and_levels_come_from_the_rows_it_was_fitted_on() -> None:
    program = fit(problem(), columns_of(FITTED_ON, TYPES))
    features = dict(zip(program.names(), compile_row(program)({})[0].tolist(), strict=True))
    assert features["median"] == pytest.approx(4.25)
    assert features["count"] == 3
    assert np.isnan(features["kept"])
    assert features["amount_bin"] == -1
    assert features["each"] == pytest.approx(4.25 / 3)
    assert [name for name in program.names() if name.startswith("place=")] == [
        "place=here",
        "place=there",
        "place=(other)",
    ]
    assert features["place=(other)"] == features["colour=(other)"] == 1


def test_a_number_finds_its_level_however_it_is_spelled() -> None:
    program = fit(problem(), columns_of(FITTED_ON, TYPES))
    at = program.names().index("grade=2")
    assert compile_row(program)({"grade": 2})[0, at] == compile_row(program)({"grade": 2.0})[0, at] == 1


def test_an_integer_beyond_the_last_digit_of_a_float_is_the_same_level_alone_as_among_many() -> None:
    shop = 2053013555631882655
    kinds = COLUMNS | {"grade": {"type": "integer"}}
    told = [{"grade": shop + number} for number in (0, 0, 4096, 8192)]
    program = fit(problem([{"kind": "one_hot", "input": "grade"}], kinds), columns_of(told, TYPES))
    many = run_columns(program, columns_of(told, TYPES))
    np.testing.assert_array_equal(many, np.concatenate([compile_row(program)(row) for row in told]))


def test_features_know_the_columns_behind_them() -> None:
    program = fit(problem(), columns_of(FITTED_ON, TYPES))
    sources = dict(zip(program.names(), program.sources(), strict=True))
    assert sources["log_median"] == ("amount",)
    assert sources["each"] == ("amount", "count")
    assert sources["colour=red"] == ("colour",)


def test_a_column_without_any_value_is_named() -> None:
    empty = [{**row, "amount": None} for row in FITTED_ON]
    with pytest.raises(MillraceError, match="cannot be fitted") as caught:
        fit(problem([{"kind": "numeric", "input": "amount"}]), columns_of(empty, TYPES))
    assert "no value of amount in 3 training rows" in str(caught.value)
    assert "exclude amount" in str(caught.value)


def test_a_column_without_any_value_is_fine_when_nothing_is_learned_from_its_median() -> None:
    empty = [{**row, "amount": None} for row in FITTED_ON]
    nodes = [{"kind": "numeric", "input": "amount", "impute": 0}]
    assert run_columns(fit(problem(nodes), columns_of(empty, TYPES)), columns_of(empty, TYPES)).tolist() == [[0]] * 3


@pytest.mark.parametrize(
    ("name", "column", "levels"),
    [
        ("place", COLUMNS["place"], [f"p{number:02}" for number in range(32)]),
        ("grade", {"type": "integer", "nullable": True, "allowed": list(range(40))}, list(range(32))),
    ],
)
def test_of_many_levels_the_30_most_frequent_are_told_apart(name: str, column: Any, levels: list[Any]) -> None:
    kinds = COLUMNS | {name: column}
    # Of 32, the second is the rarest, and of those seen twice the last by name is left out.
    told = [{name: level} for level in [*levels * 2, *levels[:1]] if level != levels[1]] + [{name: levels[1]}]
    program = fit(problem([{"kind": "one_hot", "input": name}], kinds), columns_of(told, TYPES))
    kept = [f"{name}={level}" for level in [levels[0], *levels[2:31]]]
    assert program.names() == (*kept, f"{name}=(other)")
    run = compile_row(program)
    assert [run({name: level})[0, -1] for level in (levels[0], levels[1], levels[31], None)] == [0, 1, 1, 1]


def test_more_levels_than_that_cannot_be_asked_for() -> None:
    node = {"kind": "one_hot", "input": "place", "levels": [f"p{number}" for number in range(31)]}
    with pytest.raises(MillraceError, match="31 levels of place"):
        fit(problem([node]), columns_of(FITTED_ON, TYPES))


@pytest.mark.parametrize(
    ("node", "found"),
    [
        ({"kind": "log1p", "input": "colour"}, "colour is a category"),
        ({"kind": "one_hot", "input": "grade", "levels": ["first"]}, "level"),
        ({"kind": "ratio", "numerator": "place", "denominator": "count", "name": "r"}, "place is a category"),
    ],
)
def test_a_node_that_misreads_a_column_is_refused(node: dict[str, Any], found: str) -> None:
    with pytest.raises(MillraceError) as caught:
        fit(problem([node]), columns_of(FITTED_ON, TYPES))
    assert found in str(caught.value)


def test_every_default_node_of_a_problem_can_be_fitted() -> None:
    program = fit(problem([]), columns_of(FITTED_ON, TYPES))
    assert set(program.inputs) == set(COLUMNS) - {"when"}  # a time is no input by itself


def test_times_and_parts_are_read_as_people_read_them() -> None:
    program = fit(problem(), columns_of(FITTED_ON, TYPES))
    row = {"at": "2019-10-01 00:00:00 UTC", "when": "2024-02-29T23:59:59.999999+02:00", "path": "a.b.z"}
    features = dict(zip(program.names(), compile_row(program)(row)[0].tolist(), strict=True))
    # 1 October 2019 was a Tuesday, 29 February 2024 a Thursday.
    assert (features["at_hour"], features["when_hour"], features["when_weekday"]) == (0, 21, 3)
    assert (features["path=a.b"], features["path=(other)"]) == (1, 0)
    assert compile_row(program)({})[0, program.names().index("when_hour")] == -1
