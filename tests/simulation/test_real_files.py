"""Which file of a folder is whose."""

from pathlib import Path

import pytest

from millrace.contract.errors import MillraceError
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.settings import ROOT
from millrace.simulation.files import match_real_files

DIABETES, LOAN = (load_problem(ROOT / "include" / "problems" / f"{name}.yaml") for name in ("diabetes", "loan"))
MEASURED = "Pregnancies,Glucose,BloodPressure,SkinThickness,Insulin,BMI,DiabetesPedigreeFunction,Age,Outcome"


def test_a_file_may_lack_what_millrace_assigns_and_the_best_fit_wins(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"\ufeff{MEASURED},note\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text(f"{MEASURED}\n", encoding="utf-8")
    assert match_real_files(tmp_path, [DIABETES]) == {"diabetes": tmp_path / "b.csv"}


def test_no_fit_names_the_closest_file_and_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "near.csv").write_text(MEASURED.replace(",Glucose", ""), encoding="utf-8")
    (tmp_path / "far.csv").write_text("x,y\n", encoding="utf-8")
    with pytest.raises(MillraceError, match="No file fits the problem diabetes") as raised:
        match_real_files(tmp_path, [DIABETES])
    assert "near.csv, lacks Glucose" in raised.value.found


def test_two_equal_fits_are_not_guessed_between(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(MEASURED, encoding="utf-8")
    with pytest.raises(MillraceError, match="Two files fit"):
        match_real_files(tmp_path, [DIABETES])


def test_a_file_is_found_by_the_names_that_it_uses(tmp_path: Path) -> None:
    told = DIABETES.model_dump(mode="json")
    told["sources"][DIABETES.source_name]["columns"]["Age"]["header"] = "Age (years)"
    (tmp_path / "a.csv").write_text(MEASURED, encoding="utf-8")
    (tmp_path / "b.csv").write_text(MEASURED.replace("Age", "Age (years)"), encoding="utf-8")
    assert match_real_files(tmp_path, [Problem.model_validate(told)]) == {"diabetes": tmp_path / "b.csv"}


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MillraceError) as raised:
        match_real_files(tmp_path / "nowhere", [LOAN])
    assert raised.value.found == "no such folder"


@pytest.mark.realdata
def test_the_real_files_find_their_problems() -> None:
    found = match_real_files(ROOT.parent / "shared" / "data", [DIABETES, LOAN])
    assert {name: path.name for name, path in found.items()} == {
        "diabetes": "pima_diabetes.csv",
        "loan": "loan_data.csv",
    }
