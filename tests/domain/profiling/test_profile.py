"""What is found in a file, and what a person is told to decide."""

from pathlib import Path
from random import Random

import pytest
import yaml

from millrace.contract.errors import MillraceError
from millrace.domain.profiling.decisions import decisions
from millrace.domain.profiling.page import page
from tests.domain.profiling.tables import Texts, drafted, loaded, profiled

ROWS = 600
CHANCE = Random(3)
LABEL = [CHANCE.choice("01") for _ in range(ROWS)]
SIGNAL = [f"{CHANCE.gauss(float(label), 1):.2f}" for label in LABEL]


def with_label(**columns: list[str]) -> Texts:
    return {**columns, "signal": SIGNAL, "y": LABEL}


def roles(texts: Texts, label: str = "y") -> dict[str, str]:
    return {place.profile.name: place.role for place in profiled(texts, label).columns}


def told(texts: Texts, column: str) -> str:
    return " ".join(one.words for one in decisions(profiled(texts, "y")) if one.column == column)


def test_zeros_that_stand_apart_are_pointed_out() -> None:
    measured = ["0" if n % 9 == 0 else str(CHANCE.randint(44, 199)) for n in range(ROWS)]
    counted = [str(int(CHANCE.expovariate(0.3))) for _ in range(ROWS)]
    texts = with_label(glucose=measured, pregnancies=counted)
    assert "rows say 0, and the next smallest value is 44" in told(texts, "glucose")
    assert 'null_values: ["0"]' in told(texts, "glucose")
    assert told(texts, "pregnancies") == ""


def test_a_number_far_from_all_others_is_pointed_out() -> None:
    values = ["-999" if n % 50 == 0 else str(CHANCE.randint(50, 150)) for n in range(ROWS)]
    assert "12 rows say -999, far from all others" in told(with_label(size=values), "size")


def test_a_column_that_knows_the_answer_is_kept_from_the_model() -> None:
    leak = [f"{CHANCE.gauss(9.0 * float(label), 1):.3f}" for label in LABEL]
    filled_in_later = ["10.5" if label == "1" else "" for label in LABEL]
    texts = with_label(leak=leak, refund=filled_in_later)
    assert roles(texts) == {"leak": "excluded", "refund": "excluded", "signal": "input", "y": "label"}
    assert "is it known before the label is?" in told(texts, "leak")


def test_a_value_that_decides_the_label_is_told_as_a_rule() -> None:
    rule = ["Yes" if label == "0" and CHANCE.random() < 0.6 else "No" for label in LABEL]
    texts = with_label(default=rule)
    assert roles(texts)["default"] == "input"
    assert 'where it says "Yes"' in told(texts, "default")
    assert "#     equals: true" in drafted(profiled(texts, "y"))


def test_many_levels_are_no_leak_by_themselves() -> None:
    shop = [f"shop {CHANCE.randint(1, 250)}" for _ in range(ROWS)]
    (place,) = [place for place in profiled(with_label(shop=shop), "y").columns if place.profile.name == "shop"]
    assert place.profile.auc == pytest.approx(0.5, abs=0.08)


def test_key_time_and_what_several_rows_belong_to_are_guessed() -> None:
    texts = with_label(
        row_id=[str(n) for n in range(ROWS)],
        user_id=[str(100 + n // 3) for n in range(ROWS)],
        birth=[f"19{n % 90 + 10}-01-01" for n in range(ROWS)],
        created_at=[f"2026-01-{n % 28 + 1:02d}T10:00:00Z" for n in range(ROWS)],
    )
    found = roles(texts)
    assert (found["row_id"], found["created_at"], found["user_id"]) == ("key", "time", "excluded")
    assert found["birth"] == "sensitive"
    assert "user_id names 200 things" in told(texts, "")


def test_without_key_and_time_they_are_assigned(tmp_path: Path) -> None:
    source = loaded(profiled(with_label(), "y"), tmp_path).source
    assert (source.primary_key, source.assigned_key, source.assigned_time) == ((), "row_content", "file_modified")


def test_nothing_of_a_personal_column_is_told_anywhere() -> None:
    names = [f"Given{n} Family{n}" for n in range(ROWS)]
    table = profiled(with_label(name=names, contact=[f"a{n}@b.org" for n in range(ROWS)]), "y")
    assert [profile.name for profile in table.of("sensitive")] == ["name", "contact"]
    for text in (drafted(table), page(table, title="T", file="f", total_rows=ROWS)):
        assert "Family" not in text
        assert "@b.org" not in text


def test_names_of_things_are_not_taken_for_names_of_persons() -> None:
    assert roles(with_label(product_name=[f"thing {n % 30}" for n in range(ROWS)]))["product_name"] == "input"


def test_a_header_becomes_a_name_and_says_its_unit(tmp_path: Path) -> None:
    texts = {"Größe (cm)": [f"{CHANCE.randint(140, 200)}" for _ in LABEL], "xmin": SIGNAL, "False": SIGNAL, "y": LABEL}
    columns = loaded(profiled(texts, "y"), tmp_path).columns()
    assert list(columns) == ["Grosse_cm", "xmin_", "False", "y"]
    assert (columns["Grosse_cm"].header, columns["Grosse_cm"].unit) == ("Größe (cm)", "cm")


def test_digits_that_name_something_are_no_numbers(tmp_path: Path) -> None:
    codes, long = [f"{n % 300:05d}" for n in range(ROWS)], [str(10**19 + n % 300) for n in range(ROWS)]
    columns = loaded(profiled(with_label(area=codes, category=long), "y"), tmp_path).columns()
    assert (columns["area"].type, columns["category"].type) == ("string", "string")


def test_values_that_are_not_of_the_type_are_counted_and_told() -> None:
    values = ["abc" if n in (3, 5) else str(n) for n in range(ROWS)]
    assert "2 rows hold no integer and would be quarantined" in told(with_label(size=values), "size")


def test_rare_positives_change_what_is_asked_of_a_model(tmp_path: Path) -> None:
    texts = {"signal": SIGNAL, "y": ["1" if n % 20 == 0 else "0" for n in range(ROWS)]}
    problem = loaded(profiled(texts, "y"), tmp_path)
    assert problem.gate.min_average_precision == pytest.approx(0.075)
    assert problem.serving.threshold == pytest.approx(0.1)
    assert problem.training.split.holdout_share == 0.3


@pytest.mark.parametrize(
    ("values", "positive"),
    [(["no", "yes"], True), (["stays", "left"], "left"), (["0", "1"], 1), (["view", "cart", "view"], "cart")],
)
def test_the_value_that_means_yes_is_guessed(values: list[str], positive: object, tmp_path: Path) -> None:
    texts = {"signal": SIGNAL, "y": [values[n % len(values)] for n in range(ROWS)]}
    if positive == "left":
        texts["y"][0] = "stays"  # the rarer one
    assert loaded(profiled(texts, "y"), tmp_path).label.positive == positive


@pytest.mark.parametrize(
    ("texts", "label", "said"),
    [
        ({"a": SIGNAL, "y": LABEL}, "z", "known: a, y"),
        ({"a": SIGNAL, "target": LABEL}, "targt", 'did you mean "target"?'),
        ({"a": SIGNAL, "y": ["1"] * ROWS}, "y", "The label never differs"),
        ({"a": SIGNAL, "y": ["1", ""] * (ROWS // 2)}, "y", "The label never differs"),
        ({"a": LABEL, "y": SIGNAL}, "y", "The label is no yes or no"),
        ({"id": [str(n) for n in range(ROWS)], "y": LABEL}, "y", "Nothing is left to predict the label from"),
    ],
)
def test_a_label_that_cannot_be_used_is_refused_with_the_way_out(texts: Texts, label: str, said: str) -> None:
    with pytest.raises(MillraceError) as refused:
        profiled(texts, label)
    assert said in str(refused.value)
    assert refused.value.fix


def test_the_page_is_whole_and_fetches_nothing() -> None:
    table = profiled(with_label(kind=[CHANCE.choice(["<b>", "a&b"]) for _ in LABEL]), "y")
    html = page(table, title="A & B", file="<file>", total_rows=9_999_999)
    assert html.startswith("<!doctype html>")
    assert "<svg" in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert not [word for word in ("http://", "https://", "<script", "<link", "@import", "url(") if word in html]
    assert "600 of 9,999,999 rows, evenly spread, were looked at" in html


def test_a_draft_is_yaml_whose_comments_teach() -> None:
    text = drafted(profiled(with_label(), "y"))
    assert yaml.safe_load(text)["problem"] == "some"
    assert "DECIDE" in text
    assert "unit?" in text
