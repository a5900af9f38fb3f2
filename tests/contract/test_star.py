"""The star schema in a problem file: what a user is told about each kind of mistake, and what it leaves alone."""

from pathlib import Path

import pytest
import yaml

from millrace.contract.loading import InvalidProblemError, load_problem, load_problems
from millrace.contract.problem import Problem

SHOP = """\
problem: shop
title: Shop
owner: crm
sources:
  events:
    mode: append
    assigned_key: row_content
    event_timestamp: at
    columns:
      at: {type: timestamp}
      user: {type: integer, nullable: true}
      product: {type: string}
      price: {type: number}
      email: {type: string, sensitive: true}
      valid_to: {type: string}
      bought: {type: boolean, nullable: true}
label: {column: bought, positive: true}
warehouse:
  fact: {name: visits, measures: [price], attributes: [bought]}
  dimensions:
    user: {key: [user]}
    product: {key: [product], columns: {price: history}}
"""


def load(folder: Path, text: str = SHOP) -> Problem:
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return load_problem(path)


@pytest.mark.parametrize(
    ("found", "replaced", "line", "said"),
    [
        ("key: [user]", "kee: [user]", 21, 'did you mean "key"?'),
        ("price: history", "price: histroy", 22, 'did you mean "history"?'),
        ("key: [user]", "key: [usr]", 21, "names usr, which is not a column of the source"),
        ("price: history", "email: correct", 22, "names email, which is sensitive and so never reaches the warehouse"),
        ("price: history", "product: history", 22, "product is the key already"),
        ("price: history", "valid_to: correct", 22, "names valid_to, which the table has already"),
        ("key: [user]", "key: [price]", 21, "names price, a number; a key is string or integer or boolean"),
        ("key: [user]", "key: [user, user]", 21, "lists a column twice"),
        ("key: [user]", "key: []", 21, "at least 1"),
        ("user: {key", "date: {key", 21, "comes by itself, from the event time"),
        ("measures: [price]", "measures: [product]", 19, "names product, a string; a measure is integer or number"),
        ("attributes: [bought]", "attributes: [price]", 19, "a column is a measure or an attribute"),
        ("name: visits, ", "", 19, "Missing key 'name'"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, found: str, replaced: str, line: int, said: str) -> None:
    assert found in SHOP
    with pytest.raises(InvalidProblemError) as caught:
        load(tmp_path, SHOP.replace(found, replaced, 1))
    told = str(caught.value)
    assert said in told
    number = int(told.split("shop.yaml:", 1)[1].split("\n", 1)[0].split(",", maxsplit=1)[0])
    assert abs(number - line) <= 1


def test_a_column_may_not_take_the_name_of_a_surrogate_key(tmp_path: Path) -> None:
    text = SHOP.replace("product: {type: string}", "User_Key: {type: string}")
    text = text.replace("key: [product]", "key: [User_Key]").replace("attributes: [bought]", "attributes: [User_Key]")
    with pytest.raises(InvalidProblemError, match="names User_Key, which the table has already"):
        load(tmp_path, text)


def test_two_problems_may_not_make_one_table(tmp_path: Path) -> None:
    load(tmp_path)
    other = SHOP.replace("shop", "stall").replace("events:", "stall_events:").replace("name: visits", "name: stops")
    (tmp_path / "stall.yaml").write_text(other, encoding="utf-8")
    problems, errors = load_problems(tmp_path)
    assert list(problems) == ["shop"]
    assert "warehouse.dim_user is already declared by problem shop" in str(errors[0])


def test_a_star_changes_no_row_and_no_model(tmp_path: Path) -> None:
    """So adding one rebuilds no table, and the package of a model stays byte for byte what it was."""
    starred = load(tmp_path)
    plain = load(tmp_path, yaml.safe_dump({k: v for k, v in yaml.safe_load(SHOP).items() if k != "warehouse"}))
    assert plain.warehouse is None
    assert starred.contract_hash() == plain.contract_hash()
    assert starred.model_dump(mode="json") == plain.model_dump(mode="json")
