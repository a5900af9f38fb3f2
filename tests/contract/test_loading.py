"""Problem files: what a user is told about each kind of mistake."""

from pathlib import Path

import pytest
import yaml

from millrace.contract.loading import InvalidProblemError, get_problem, load_problem, load_problems
from tests.contract.minimal import MINIMAL


def write(folder: Path, text: str, name: str = "churn") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_minimal_problem_is_enough(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path, MINIMAL))
    assert list(problem.input_columns()) == ["months", "plan"]
    assert [node.kind for node in problem.feature_nodes()] == ["numeric", "one_hot"]
    assert "email" not in problem.gold_columns()


@pytest.mark.parametrize(
    ("found", "replaced", "line", "said"),
    [
        ("owner: crm", "ownr: crm", 3, 'did you mean "owner"?'),
        ("min: 0", "mim: 0", 10, 'did you mean "min"?'),
        ("min: 0", "min: 9, max: 1", 10, "min 9.0 is above max 1.0"),
        ("min: 0", "max: 2.5", 10, "min and max of an integer are whole numbers"),
        ("type: integer", "type: integr", 10, "'integer'"),
        ("type: boolean", "type: bool", 13, 'did you mean "boolean"? Valid: '),
        ("min: 0", "min: zero", 10, "expected: a number"),
        (
            "    columns:",
            "    format: parquet\n    delimiter: ;\n    columns:",
            9,
            "delimiter cannot be said of format parquet",
        ),
        ("    columns:", "    format: json\n    columns:", 8, "'csv' or 'parquet'"),
        ("[customer]", "customer", 6, "expected: a list, such as [one, another]"),
        ("    columns:", "    delimiter: semicolon\n    columns:", 8, "exactly one character, in quotes"),
        ("column: left", "column: lft", 14, "label.column names lft"),
        ("positive: true", "positive: 1", 14, "is not a boolean"),
        ("[customer]", "[client]", 5, "client is used as key or time"),
        ("customer: {type: string}", "customer: {type: string, pattern: '['}", 9, "not a regular expression"),
        ("{type: integer, min: 0}", "{type: integer, optional: true}", 10, "optional needs nullable: true"),
        ("months:", "Plan:", 8, "differ only by case"),
        ("months:", "gold_seq:", 5, "used by Millrace itself"),
        ("months:", "xmin:", 5, "Postgres keeps for itself"),
        ("months:", "Credit Score:", 10, 'a column says `header: "Credit Score"` if files call it so'),
        ("months:", "label:", 1, "choose another, and say `header: label`"),
        ("type: integer,", "type: integer, header: plan,", 8, "two columns are called plan in the file"),
        ("[basic, pro]", "[basic, NA]", 11, "lists NA, which null_values reads as no value"),
        ("problem: churn", "problem: chrun", 1, "churn"),
        ("owner: crm", "owner: crm\nowner: erp", 4, "stands twice"),
        ("title: Churn", "title: [", 3, "valid YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_way_out(
    tmp_path: Path, found: str, replaced: str, line: int, said: str
) -> None:
    path = write(tmp_path, MINIMAL.replace(found, replaced, 1))
    with pytest.raises(InvalidProblemError) as caught:
        load_problem(path)
    told = str(caught.value)
    assert said in told
    assert f"{path}:" in told
    number = int(told.split(f"{path}:", 1)[1].split("\n", 1)[0].split(",", maxsplit=1)[0])
    assert abs(number - line) <= 1


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    text = MINIMAL.replace("owner:", "ownr:").replace("min: 0", "mim: 0")
    with pytest.raises(InvalidProblemError) as caught:
        load_problem(write(tmp_path, text))
    assert 'did you mean "owner"?' in str(caught.value)
    assert 'did you mean "min"?' in str(caught.value)


def test_one_broken_file_does_not_hide_the_others(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL)
    write(tmp_path, "problem: [", "broken")
    problems, errors = load_problems(tmp_path)
    assert list(problems) == ["churn"]
    assert [error.place for error in errors] == [f"{tmp_path / 'broken.yaml'}:1"]


def test_a_source_belongs_to_one_problem(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL)
    write(tmp_path, MINIMAL.replace("problem: churn", "problem: other"), "other")
    problems, errors = load_problems(tmp_path)
    assert list(problems) == ["churn"]
    assert "customers is already declared by problem churn" in str(errors[0])


@pytest.mark.parametrize(
    ("landing", "fits"), [("customers/old/", False), ("customers/", True), ("customers2/", True), ("other/", True)]
)
def test_no_landing_prefix_lies_within_another(tmp_path: Path, landing: str, fits: bool) -> None:
    write(tmp_path, MINIMAL)
    other = MINIMAL.replace("problem: churn", "problem: other").replace(
        "customers:", f"others:\n    landing: {landing}"
    )
    write(tmp_path, other, "other")
    problems, errors = load_problems(tmp_path)
    assert ("other" in problems) == fits
    assert all("customers/old/, those of problem churn under customers/" in str(error) for error in errors)


@pytest.mark.parametrize("delimiter", ['"', "\n", "\r", "\0"])
def test_what_cannot_part_fields_is_refused_as_delimiter(tmp_path: Path, delimiter: str) -> None:
    content = yaml.safe_load(MINIMAL)
    content["sources"]["customers"]["delimiter"] = delimiter
    with pytest.raises(InvalidProblemError, match=r"key sources\.customers\.delimiter[\s\S]*cannot part fields"):
        load_problem(write(tmp_path, yaml.safe_dump(content)))


def test_an_unknown_problem_names_the_closest(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL)
    with pytest.raises(InvalidProblemError, match=r'did you mean "churn"\?[\s\S]*`millrace status` lists'):
        get_problem("chrun", tmp_path)


# The literal hash: keys that a problem does not use must not rebuild its tables.
def test_words_for_people_do_not_change_the_contract_hash(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path, MINIMAL))
    described = load_problem(write(tmp_path, MINIMAL.replace("min: 0", "min: 0, unit: months")))
    stricter = load_problem(write(tmp_path, MINIMAL.replace("min: 0", "min: 1")))
    assert (
        described.contract_hash() == problem.contract_hash() == "b8ed9593e4b73534"
    )  # what decides nothing here changes no hash
    assert stricter.contract_hash() != problem.contract_hash()


@pytest.mark.parametrize("key", ["trim: true", 'decimal: ","', "dates: day_first"])
def test_how_a_value_is_read_changes_the_contract_hash_and_an_encoding_does_not(tmp_path: Path, key: str) -> None:
    told = {
        said: load_problem(
            write(tmp_path, MINIMAL.replace("    columns:", f"    {said}\n    columns:"))
        ).contract_hash()
        for said in (key, "trim: false", "encoding: cp1252", "has_header: false")
    }
    assert told["trim: false"] == told["encoding: cp1252"] == told["has_header: false"] != told[key]


def test_a_file_that_has_no_header_calls_no_column_otherwise(tmp_path: Path) -> None:
    text = MINIMAL.replace("    columns:", "    has_header: false\n    columns:").replace(
        "{type: integer", "{header: M, type: integer"
    )
    with pytest.raises(InvalidProblemError, match="has_header says that files have none"):
        load_problem(write(tmp_path, text))


def test_an_allowed_value_with_blanks_can_never_be_where_blanks_are_trimmed(tmp_path: Path) -> None:
    text = MINIMAL.replace("    columns:", "    trim: true\n    columns:").replace("basic, pro", "' basic', pro")
    with pytest.raises(InvalidProblemError, match="whose blanks trim takes"):
        load_problem(write(tmp_path, text))


def test_a_sensitive_column_cannot_be_asked_for(tmp_path: Path) -> None:
    content = yaml.safe_load(MINIMAL)
    content["exclude"] = ["email"]
    with pytest.raises(InvalidProblemError, match="sensitive"):
        load_problem(write(tmp_path, yaml.safe_dump(content)))


def test_the_event_time_reaches_gold_and_so_cannot_be_sensitive(tmp_path: Path) -> None:
    text = MINIMAL.replace("assigned_time: file_modified", "event_timestamp: born")
    text = text.replace("      months:", "      born: {type: timestamp, sensitive: true}\n      months:")
    with pytest.raises(InvalidProblemError, match="born is sensitive, and every row of gold has its time"):
        load_problem(write(tmp_path, text))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("column: plan, equals: Yes", "True can never equal plan, which is a string"),
        ("column: plan, equals: gold", "'gold' is not among the allowed values"),
        ('column: months, equals: "1"', "'1' can never equal months, which is a integer"),
    ],
)
def test_an_override_that_could_never_decide_is_refused(tmp_path: Path, condition: str, said: str) -> None:
    override = f"{{name: rule, {condition}, probability: 0, reason: a rule of the house}}"
    with pytest.raises(InvalidProblemError, match=said):
        load_problem(write(tmp_path, MINIMAL + f"overrides: [{override}]\n"))


@pytest.mark.parametrize(
    "asked", ["training: {split: {by: group, group: customer}}", "gate: {groups: [{column: left, max_gap: 0.1}]}"]
)
def test_a_group_that_gold_does_not_hold_is_refused(tmp_path: Path, asked: str) -> None:
    with pytest.raises(InvalidProblemError, match="gold has no such column"):
        load_problem(write(tmp_path, MINIMAL + asked + "\n"))


TIMES = MINIMAL.replace(
    "      months:", "      since: {type: timestamp}\n      until: {type: timestamp}\n      months:"
)


def test_times_are_asked_of_a_caller_only_where_a_rule_compares_them(tmp_path: Path) -> None:
    rule = "    rules: [{name: ordered, left: since, operator: <, right: until}]\nlabel:"
    compared = TIMES.replace("label:", rule)
    for text, asked in (
        (TIMES, ["months", "plan"]),
        (compared, ["since", "until", "months", "plan"]),
        (compared + "exclude: [until]\n", ["months", "plan"]),
    ):
        problem = load_problem(write(tmp_path, text))
        assert list(problem.request_columns()) == asked
        assert list(problem.input_columns()) == ["months", "plan"]


def test_a_feature_of_a_time_says_that_it_is_no_input(tmp_path: Path) -> None:
    with pytest.raises(InvalidProblemError, match="reads since: a timestamp is no input"):
        load_problem(write(tmp_path, TIMES + "features: [{kind: numeric, input: since}]\n"))


def test_both_endings_of_a_yaml_file_are_found_by_name(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL).rename(tmp_path / "churn.yml")
    assert list(load_problems(tmp_path)[0]) == ["churn"]
    assert get_problem("churn", tmp_path).problem == "churn"


def test_the_shipped_problems_are_valid() -> None:
    folder = Path(__file__).resolve().parents[2] / "include" / "problems"
    problems, errors = load_problems(folder)
    assert not errors
    assert {"diabetes", "loan"} <= set(problems)
