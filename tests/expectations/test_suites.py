"""The suites hold every rule of the contract; what is refused is told in full."""

from expectations.suites import gold_suite, silver_suite
from expectations.verdict import Finding, Verdict, refusal
from expectations.whole_table import whole_table
from millrace.contract.constraints import HasType, reason, source_constraints
from millrace.contract.problem import Problem
from tests.steps.transforming import COLUMNS, problem_named

PROBLEM = problem_named("x", COLUMNS, quality={"min_rows": 3, "max_row_count_drop": 0.1})


def rules(suite: list) -> set[str]:
    return {expectation.meta["rule"] for expectation in suite}


def test_silver_holds_every_constraint_that_a_type_does_not() -> None:
    wanted = {reason(c) for c in source_constraints(PROBLEM.source) if not isinstance(c, HasType)}
    assert wanted <= rules(silver_suite(PROBLEM))


def test_gold_is_judged_by_its_own_columns() -> None:
    suite = gold_suite(PROBLEM)
    assert not any("phone" in rule or "sold" in rule for rule in rules(suite))
    (columns,) = (e.column_set for e in suite if e.meta["rule"] == "columns:gold")
    assert columns == sorted(["row_key", "event_timestamp", "size", "note", "label", "gold_seq"])
    (label,) = (e.value_set for e in suite if e.meta["rule"] == "allowed:label")
    assert label == [0, 1]


def test_a_rule_between_columns_of_two_versions_is_not_asked_of_the_merged_row() -> None:
    columns = COLUMNS | {"weight": {"type": "number", "nullable": True}}
    columns |= {name: {"type": "number", "nullable": True, "update": "correct"} for name in ("low", "high")}
    source = problem_named("x", columns).model_dump(mode="json")
    (rows,) = source["sources"].values()
    rows["rules"] = [
        {"name": "both_last", "left": "low", "operator": "<=", "right": "high"},
        {"name": "first_and_last", "left": "weight", "operator": "<=", "right": "high"},
        {"name": "both_first", "left": "weight", "operator": "<=", "right": "size"},
    ]
    keyed = Problem.model_validate(source)
    rows |= {"mode": "append"}
    events = Problem.model_validate(source)
    for suite in (silver_suite, gold_suite):
        asked = {rule for rule in rules(suite(keyed)) if rule.startswith("cross_column:")}
        assert asked == {"cross_column:both_last", "cross_column:both_first"}
        assert "cross_column:first_and_last" in rules(suite(events))


def test_a_row_count_may_drop_by_its_limit_and_no_row_more() -> None:
    def broken(rows: int, before: int, repeated: int = 0) -> set[str]:
        found = whole_table(PROBLEM.source, rows=rows, rows_before=before, repeated=repeated)
        return {finding.rule for finding in found if not finding.passed}

    assert broken(14, 15) == set()  # 13.5 rows are 14
    assert broken(13, 15) == {"rows:max_row_count_drop"}
    assert broken(2, 0) == {"rows:min_rows"}
    assert broken(15, 15, repeated=1) == {"unique:row_key"}


def test_a_refusal_names_each_broken_rule_with_what_was_seen_and_the_limit() -> None:
    held = Finding("required:size", "size", "0 of 10 rows", "0 rows", passed=True)
    broken = Finding("range:size", "size", "4 of 10 rows", "0 rows", passed=False)
    verdict = Verdict("sales silver", (held,)).and_also([broken])
    error = refusal(verdict, place="table silver.sales", fix="see a page")
    assert not verdict.passed
    assert (error.found, error.expected) == ("range:size: 4 of 10 rows", "range:size: 0 rows")
    assert "sales silver" in error.problem
