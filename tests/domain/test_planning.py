"""A change of the contract is told by what it does to rows, columns and callers."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.problem import Problem
from millrace.domain.planning import KeyChange, column_changes, key_changes, request_changes

BEFORE: dict[str, Any] = {
    "problem": "sales",
    "title": "Sales",
    "owner": "tests",
    "label": {"column": "sold"},
    "sources": {
        "sales": {
            "primary_key": ["id"],
            "event_timestamp": "seen_at",
            "columns": {
                "id": {"type": "string"},
                "seen_at": {"type": "timestamp"},
                "size": {"type": "integer", "min": 0, "max": 100},
                "kind": {"type": "string", "allowed": ["a", "b"], "nullable": True},
                "sold": {"type": "integer", "allowed": [0, 1], "nullable": True},
            },
            "rules": [{"name": "small", "left": "size", "operator": "!=", "right": "sold"}],
        }
    },
}


def after(**columns: dict[str, Any] | None) -> Problem:
    content = deepcopy(BEFORE)
    known = content["sources"]["sales"]["columns"]
    for name, change in columns.items():
        if change is None:
            del known[name]
        else:
            known[name] = known.get(name, {}) | change
    return Problem.model_validate(content)


UNCHANGED = Problem.model_validate(BEFORE)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"size": {"max": 200}}, [("size", False)]),
        ({"size": {"max": 50}}, [("size", True)]),
        ({"size": {"max": None, "min": None}}, [("size", False), ("size", False)]),
        ({"size": {"type": "number"}}, [("size", False)]),
        ({"kind": {"allowed": ["a"]}}, [("kind", True)]),
        ({"kind": {"allowed": ["a", "b", "c"]}}, [("kind", False)]),
        ({"kind": {"allowed": ["b", "c"]}}, [("kind", True), ("kind", False)]),
        ({"kind": {"allowed": None}}, [("kind", False)]),
        ({"kind": {"allowed": None, "pattern": "[a-z]"}}, [("kind", True), ("kind", False)]),
        ({"kind": {"nullable": False}}, [("kind", True)]),
        ({"size": {"nullable": True}}, [("size", False)]),
        ({"size": {"null_values": ["0"]}}, [("size", True)]),
        ({"kind": {"null_values": ["-"]}}, [("kind", False)]),
        ({"kind": None}, [("kind", True)]),
        ({"kind": {"sensitive": True}}, [("kind", True)]),
        ({"colour": {"type": "string"}}, [("colour", True)]),
        ({"colour": {"type": "string", "nullable": True}}, [("colour", False)]),
        ({"size": {"description": "in cm", "unit": "cm"}}, []),
        ({"sold": {"nullable": False}}, []),
    ],
)
def test_what_callers_notice(changed: dict[str, Any], told: list[tuple[str, bool]]) -> None:
    assert [(change.column, change.breaking) for change in request_changes(UNCHANGED, after(**changed))] == told


def test_a_rule_between_columns_that_are_sent_is_told() -> None:
    content = deepcopy(BEFORE)
    content["sources"]["sales"]["columns"]["weight"] = {"type": "integer"}
    before = Problem.model_validate(content)
    content["sources"]["sales"]["rules"].append({"name": "light", "left": "weight", "operator": "<", "right": "size"})
    (change,) = request_changes(before, Problem.model_validate(content))
    assert (change.what, change.breaking) == ("must hold: weight < size", True)


def test_keys_are_told_by_their_place() -> None:
    changes = key_changes(UNCHANGED, after(size={"max": 200, "description": "words"}, kind={"allowed": ["a"]}))
    assert changes == [
        KeyChange("sources.sales.columns.size.max", 100.0, 200.0),
        KeyChange("sources.sales.columns.kind.allowed", ["a", "b"], ["a"]),
    ]
    assert key_changes(UNCHANGED, UNCHANGED) == []


def test_a_rule_is_told_by_its_name() -> None:
    content = deepcopy(BEFORE)
    content["sources"]["sales"]["rules"][0]["operator"] = ">"
    changes = key_changes(UNCHANGED, Problem.model_validate(content))
    assert changes == [KeyChange("sources.sales.rules.small.operator", "!=", ">")]


TYPES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["string", "long", "double"]))


@given(TYPES, TYPES)
def test_the_changes_lead_from_one_table_to_the_other(before: dict[str, str], columns: dict[str, str]) -> None:
    changes = column_changes(before, columns)
    kept = {name: kind for name, kind in before.items() if name not in changes.removed}
    assert kept | changes.added | {name: kind for name, (_, kind) in changes.retyped.items()} == columns
    assert bool(changes) == (before != columns)
