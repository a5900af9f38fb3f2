"""What a contract of events may say, and how it is told what it may not."""

from pathlib import Path

import pytest

from millrace.contract.loading import InvalidProblemError, load_problem
from millrace.contract.problem import Problem

MINIMAL = """\
problem: shop
title: Shop
owner: shop
sources:
  events:
    mode: append
    assigned_key: row_content
    event_timestamp: at
    columns:
      at: {type: timestamp}
      kind: {type: string, allowed: [look, cart, buy]}
      who: {type: integer}
      visit: {type: string, nullable: true}
      what: {type: string}
      worth: {type: number, min: 0, max: 1000}
      mail: {type: string, sensitive: true}
rows: {column: kind, any_of: [look, cart]}
label: {event: {column: kind, any_of: [buy]}, same: [visit, what], within: 1h}
aggregations:
  - {name: looks, key: [who], function: count, where: {column: kind, any_of: [look]}, window: 7d}
  - {name: spent, key: [visit], function: mean, column: worth}
exclude: [who, visit, what]
training: {split: {by: group, group: who}}
"""


def loaded(folder: Path, text: str = MINIMAL) -> Problem:
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return load_problem(path)


def test_aggregations_are_columns_of_gold_and_of_the_request(tmp_path: Path) -> None:
    problem = loaded(tmp_path)
    asked = problem.request_columns()
    assert list(asked) == ["kind", "worth", "looks", "spent"]
    assert (asked["looks"].type, asked["looks"].nullable, asked["looks"].min) == ("integer", False, 0)
    assert (asked["spent"].type, asked["spent"].nullable) == ("number", True)
    assert asked["kind"].allowed == ("look", "cart"), "a purchase is nothing to predict for"
    assert problem.columns()["kind"].allowed == ("look", "cart", "buy")
    assert "mail" not in problem.gold_columns()


def test_callers_send_the_time_where_a_feature_reads_it(tmp_path: Path) -> None:
    read = MINIMAL + "features: [{kind: numeric, input: worth}, {kind: time_part, input: at, part: hour}]\n"
    assert loaded(tmp_path, read).request_columns()["at"].type == "timestamp"
    assert "at" not in loaded(tmp_path).request_columns()


def test_what_looks_across_rows_changes_gold_and_not_silver(tmp_path: Path) -> None:
    one = loaded(tmp_path)
    for found, replaced in (("7d", "6d"), ("within: 1h", "within: 2h"), ("[look, cart]}\nlabel", "[look]}\nlabel")):
        other = loaded(tmp_path, MINIMAL.replace(found, replaced, 1))
        assert other.contract_hash() == one.contract_hash()
        assert other.gold_hash() != one.gold_hash()
    assert one.gold_hash() != one.contract_hash()


@pytest.mark.parametrize(
    ("found", "replaced", "line", "said"),
    [
        ("window: 7d", "window: session", 20, "would hold the very event that is to be predicted"),
        ("window: 7d", "window: -1d", 20, "a length of time such as 30m or 7d"),
        ("window: 7d", "window: 0d", 20, "a length of time such as 30m or 7d"),
        ("within: 1h", "within: session", 19, "cannot be said"),
        ("window: 7d", "window: 7d, include_current: true", 20, "Unknown key 'include_current'"),
        ("function: count", "function: counts", 20, 'did you mean "count"?'),
        ("function: mean, column: worth", "function: mean", 21, "column belongs to sum, mean and distinct"),
        ("column: worth}", "column: what}", 21, "mean needs a number"),
        ("min: 0, max: 1000", "min: 0", 21, "needs min and max"),
        ("column: worth}", "column: mail}", 21, "is sensitive and so never reaches gold"),
        ("key: [who]", "key: [whom]", 20, "names whom, which is not a column"),
        ("name: looks", "name: what", 20, "name what is taken"),
        ("any_of: [look]}, window", "any_of: [looks]}, window", 20, "'looks' is not among the allowed values of kind"),
        ("any_of: [buy]", "any_of: [bought]", 19, "'bought' is not among the allowed values of kind"),
        ("same: [visit, what]", "same: [visits]", 19, "names visits, which is not a column"),
        ("mode: append", "mode: keyed", 20, "say `mode: append`"),
        ("    event_timestamp: at\n", "    assigned_time: file_modified\n", 20, "needs an event_timestamp"),
        ("training: {split: {by: group, group: who}}", "", 1, "by key would part the rows of one user"),
        ("label: {event", "label: {column: kind, event", 19, "Unknown key 'column'"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_way_out(
    tmp_path: Path, found: str, replaced: str, line: int, said: str
) -> None:
    assert found in MINIMAL
    with pytest.raises(InvalidProblemError) as caught:
        loaded(tmp_path, MINIMAL.replace(found, replaced, 1))
    told = str(caught.value)
    assert said in told
    number = int(told.split("shop.yaml:", 1)[1].split("\n", 1)[0].split(",", maxsplit=1)[0])
    assert abs(number - line) <= 3, told
