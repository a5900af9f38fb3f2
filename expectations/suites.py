"""The contract rendered as expectations. Each carries its code of `constraints.reason`, or its own, in `meta`."""

from typing import Any

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation

from millrace.contract.constraints import (
    Constraint,
    CrossColumn,
    HasType,
    InRange,
    InSet,
    MatchesPattern,
    Required,
    column_constraints,
    reason,
    source_constraints,
)
from millrace.contract.problem import Problem
from millrace.contract.source import Source

_EITHER_MISSING = "either_value_is_missing"


def silver_suite(problem: Problem) -> list[Expectation]:
    """What each row of silver must hold: a key, a time, every constraint of the source."""
    source = problem.source
    constraints = [c for c in source_constraints(source) if not _of_two_versions(problem, c)]
    found = [e for c in constraints for e in constraint_expectations(c, source)]
    return [*key_expectations(), *found]


def gold_suite(problem: Problem) -> list[Expectation]:
    """What gold must hold: exactly its columns, so no sensitive one; their constraints; a label of 0, 1 or null."""
    source, columns = problem.source, problem.gold_columns()
    constraints: list[Constraint] = [c for name, column in columns.items() for c in column_constraints(name, column)]
    rules = [CrossColumn(rule) for rule in source.rules if {rule.left, rule.right} <= set(columns)]
    constraints += [rule for rule in rules if not _of_two_versions(problem, rule)]
    found = [e for c in constraints for e in constraint_expectations(c, source)]
    expected = {"row_key", "event_timestamp", *columns, "label", "gold_seq"}
    return [
        gxe.ExpectTableColumnsToMatchSet(column_set=sorted(expected), exact_match=True, meta=_meta("columns:gold")),
        *key_expectations(),
        *found,
        gxe.ExpectColumnValuesToBeInSet(column="label", value_set=[0, 1], meta=_meta("allowed:label")),
    ]


def _of_two_versions(problem: Problem, constraint: Constraint) -> bool:
    """Whether a rule compares columns of a merged row that may come from two of its versions, each of which kept it."""
    if not isinstance(constraint, CrossColumn) or problem.source.mode == "append":
        return False
    columns, label = problem.source.columns, problem.label_column
    kinds = {
        "label" if name == label else columns[name].update for name in (constraint.rule.left, constraint.rule.right)
    }
    return len(kinds) > 1


def key_expectations() -> list[Expectation]:
    """A key and a time in every row. That no key stands twice is asked of the whole table: see `whole_table`."""
    return [
        gxe.ExpectColumnValuesToNotBeNull(column="row_key", meta=_meta("required:row_key")),
        gxe.ExpectColumnValuesToNotBeNull(column="event_timestamp", meta=_meta("required:event_timestamp")),
    ]


def constraint_expectations(constraint: Constraint, source: Source) -> list[Expectation]:
    """One constraint; nothing where the table's own type holds it. Nulls pass all but `Required`."""
    meta = _meta(reason(constraint))
    match constraint:
        case HasType():
            return []
        case Required(column=column):
            # Millrace assigns what such a file lacks, to row_key and event_timestamp.
            lacking = column in source.optional_in_file()
            return [] if lacking else [gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)]
        case InRange(column=column, min=low, max=high):
            return [gxe.ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high, meta=meta)]
        case InSet(column=column, allowed=allowed):
            return [gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(allowed), meta=meta)]
        case MatchesPattern(column=column, pattern=pattern):
            whole = rf"(?d)\A(?:{pattern})\z"  # Spark's own matching is Java's, and looks anywhere in the value
            return [gxe.ExpectColumnValuesToMatchRegex(column=column, regex=whole, meta=meta)]
        case CrossColumn():
            return [_pair(constraint, meta)]


def _pair(constraint: CrossColumn, meta: dict[str, Any]) -> Expectation:
    rule = constraint.rule
    left, right = rule.left, rule.right
    if rule.operator in ("<", "<="):
        left, right = right, left
    match rule.operator:
        case "==":
            return gxe.ExpectColumnPairValuesToBeEqual(
                column_A=left, column_B=right, ignore_row_if=_EITHER_MISSING, meta=meta
            )
        case "!=":
            return gxe.ExpectSelectColumnValuesToBeUniqueWithinRecord(
                column_list=[left, right], ignore_row_if="any_value_is_missing", meta=meta
            )
        case operator:
            return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=left,
                column_B=right,
                or_equal=operator in ("<=", ">="),
                ignore_row_if=_EITHER_MISSING,
                meta=meta,
            )


def _meta(rule: str) -> dict[str, Any]:
    return {"rule": rule}
