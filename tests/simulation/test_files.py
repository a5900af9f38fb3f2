"""A simulated file does to the contract what it says, judged by a reading of the contract of its own."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from millrace.contract.constraints import (
    RAW_PATTERNS,
    CrossColumn,
    HasType,
    InRange,
    InSet,
    MatchesPattern,
    Required,
    reason,
    source_constraints,
)
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.settings import ROOT
from millrace.simulation.files import SimulatedFile, simulate_file

PROBLEMS = {path.stem: load_problem(path) for path in sorted((ROOT / "include" / "problems").glob("*.yaml"))}
# Every type, open ranges, a composite key, rules of both kinds, a label of words, another delimiter.
ODD = Problem.model_validate(
    {
        "problem": "odd",
        "title": "Odd",
        "owner": "tests",
        "sources": {
            "odd_rows": {
                "delimiter": ";",
                "decimal": ",",
                "encoding": "cp1252",
                "primary_key": ["region", "number"],
                "event_timestamp": "seen_at",
                "null_values": ["", "-"],
                "columns": {
                    "region": {"type": "string", "allowed": ["north;east", "south"]},
                    "number": {"type": "integer", "min": 5},
                    "seen_at": {"type": "timestamp"},
                    "since": {"type": "timestamp"},
                    "word": {"type": "string"},
                    "code": {"type": "string", "pattern": "[a-z]{3}", "nullable": True},
                    "flag": {"type": "boolean"},
                    "grade": {"type": "integer", "allowed": [1, 2, 3]},
                    "low": {"type": "number", "max": -0.5, "header": "Größe (%)"},
                    "zero": {"type": "integer", "min": 0, "max": 3, "null_values": ["0"], "nullable": True},
                    "small": {"type": "integer", "min": 0, "max": 30},
                    "large": {"type": "integer", "min": 10, "max": 40},
                    "answer": {"type": "string", "allowed": ["yes", "no", "perhaps"]},
                },
                "rules": [
                    {"name": "seen_later", "left": "since", "operator": "<=", "right": "seen_at"},
                    {"name": "ordered", "left": "small", "operator": "<", "right": "large"},
                ],
            }
        },
        "label": {"column": "answer", "positive": "yes"},
        "overrides": [
            {"name": "top", "column": "grade", "equals": 3, "probability": 1.0, "reason": "the top grade decides alone"}
        ],
    }
)
ALL = [*PROBLEMS.values(), ODD]


@pytest.fixture(params=ALL, ids=lambda problem: problem.problem)
def problem(request: pytest.FixtureRequest) -> Problem:
    return request.param  # type: ignore[no-any-return]


def test_exactly_the_announced_rows_break_exactly_the_announced_constraints(problem: Problem) -> None:
    file = simulate_file(problem, rows=3_000, seed=3)
    found = [broken(problem, row) for row in read(problem, file)]
    assert dict(sorted(Counter(code for codes in found for code in codes).items())) == file.expected_by_reason
    assert sum(bool(codes) for codes in found) == file.quarantined_rows == 300
    assert file.rows == file.valid_rows + file.quarantined_rows == len(found)


def test_every_constraint_that_can_be_broken_alone_is(problem: Problem) -> None:
    codes = set(simulate_file(problem, rows=3_000, seed=4).expected_by_reason)
    declared = {reason(constraint).split(":")[0] for constraint in source_constraints(problem.source)}
    assert {code.split(":")[0] for code in codes} >= (declared - {"cross_column"}) | {"row"}
    numbers = {name for name, column in problem.columns().items() if column.type in ("integer", "number")}
    assert {f"type:{name}" for name in numbers} <= codes


def test_keys_repeat_only_where_a_row_is_superseded(problem: Problem) -> None:
    file = simulate_file(problem, rows=2_000, seed=5)
    valid = [row for row in read(problem, file) if not broken(problem, row)]
    assert len(valid) - len(keys(problem, valid)) == file.superseded_rows == (20 if problem.source.primary_key else 0)


def test_files_with_other_first_rows_hold_other_keys_and_later_times(problem: Problem) -> None:
    one, other = (simulate_file(problem, rows=500, seed=1, first_row=at, broken_share=0) for at in (0, 500))
    assert not keys(problem, read(problem, one)) & keys(problem, read(problem, other))
    time = problem.source.event_timestamp
    if time is None:  # it is when the file came
        return
    moments = [row[time] for file in (one, other) for row in read(problem, file)]
    assert moments == sorted(moments)


def test_the_same_arguments_make_the_same_file_and_others_another(problem: Problem) -> None:
    first, again, other = (simulate_file(problem, rows=200, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.content != other.content


def test_the_truth_lies_within_the_gate(problem: Problem) -> None:
    auc = simulate_file(problem, rows=8_000, seed=6).truth_auc
    assert problem.gate.min_auc + 0.01 < auc < problem.gate.suspicious_auc - 0.01


def test_the_truth_is_that_of_the_problem_not_of_a_file() -> None:
    def share(seed: int, intent: str) -> float:
        rows = read(PROBLEMS["loan"], simulate_file(PROBLEMS["loan"], rows=6_000, seed=seed, broken_share=0))
        labels = [row["loan_status"] for row in rows if row["loan_intent"] == intent]
        return labels.count("1") / len(labels)

    for intent in ("VENTURE", "MEDICAL", "EDUCATION"):
        assert share(1, intent) == pytest.approx(share(2, intent), abs=0.08)


def test_an_override_decides_the_label() -> None:
    rows = read(PROBLEMS["loan"], simulate_file(PROBLEMS["loan"], rows=2_000, seed=7, broken_share=0))
    assert {row["loan_status"] for row in rows if row["previous_loan_defaults_on_file"] == "Yes"} <= {"0", *NULLS}
    odd = read(ODD, simulate_file(ODD, rows=500, seed=7, broken_share=0))
    assert {row["answer"] for row in odd if row["grade"] == "3"} == {"yes"}


NULLS = ("", "NA", "N/A", "null", "NULL")


def read(problem: Problem, file: SimulatedFile) -> list[dict[str | None, Any]]:
    lines = io.StringIO(file.content.decode(problem.source.encoding), newline="")
    found = csv.DictReader(lines, delimiter=problem.source.delimiter)
    names = {problem.source.header_of(name): name for name in problem.source.columns}
    assert found.fieldnames == list(names)
    found.fieldnames = list(names.values())
    return list(found)


def keys(problem: Problem, rows: list[dict[str | None, Any]]) -> set[tuple[str, ...]]:
    # A row without a key is known by what it says.
    names = problem.source.primary_key or tuple(problem.source.columns)
    return {tuple(row[name] for name in names) for row in rows}


def broken(problem: Problem, row: dict[str | None, Any]) -> list[str]:
    """The codes of the constraints that a row breaks; written anew, so that the simulator does not judge itself."""
    if None in row or None in row.values():
        return ["row:field_count"]
    return list(_codes(problem, row))


def _codes(problem: Problem, row: dict[str | None, Any]) -> Iterator[str]:
    source = problem.source
    values = {name: _value(problem, name, row[name]) for name in source.columns}
    for constraint in source_constraints(source):
        if isinstance(constraint, CrossColumn):
            left, right = values[constraint.rule.left], values[constraint.rule.right]
            wrong = left is not None and right is not None and not eval(f"left {constraint.rule.operator} right")
        else:
            value, text = values[constraint.column], row[constraint.column]
            missing = text in (*source.null_values, *source.columns[constraint.column].null_values)
            match constraint:
                case Required():
                    wrong = missing
                case HasType():
                    wrong = not missing and value is None
                case InRange(min=low, max=high):
                    ends = (low if low is not None else float("-inf"), high if high is not None else float("inf"))
                    wrong = value is not None and not ends[0] <= value <= ends[1]
                case InSet(allowed=allowed):
                    wrong = value is not None and value not in allowed
                case MatchesPattern(pattern=pattern):
                    wrong = value is not None and not re.fullmatch(pattern, value, re.ASCII)
        if wrong:
            yield reason(constraint)


def _value(problem: Problem, name: str, text: str) -> Any:
    column = problem.source.columns[name]
    if text in (*problem.source.null_values, *column.null_values):
        return None
    if column.type == "string":
        return text
    if column.type in ("integer", "number") and problem.source.decimal == ",":
        text = text.translate(str.maketrans(".,", ",."))
    if not re.fullmatch(RAW_PATTERNS[column.type], text):
        return None
    read_as = {
        "integer": lambda said: int(said.split(".")[0]),
        "number": float,
        "boolean": str,
        "timestamp": datetime.fromisoformat,
    }
    return read_as[column.type](text)
