"""From a file on disk to a draft: what can be read, what is refused, what is never overwritten."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.contract.errors import MillraceError
from millrace.contract.loading import load_problem
from millrace.settings import ROOT
from millrace.steps import read_unseen_file
from millrace.steps.draft_problem import Drafted, draft_problem, name_from

DATA = ROOT.parent / "shared" / "data"
HEADER = "no;size;kind;sold"
LINES = [f"K{n:05d};{n % 37},5;{'ab'[n % 2]};{'yes' if n % 3 else 'no'}" for n in range(300)]
TEXT = "\n".join([HEADER, *LINES, ""])


def draft(folder: Path, content: bytes | None = None, label: str = "sold", force: bool = False) -> Drafted:
    file = folder / "some-sales.csv"
    if content is not None:
        file.write_bytes(content)
    output, report = folder / "out" / "sales.yaml", folder / "out" / "sales.html"
    return draft_problem(file, label=label, name="sales", output=output, report=report, force=force)


def test_a_file_becomes_a_problem_file_that_loads_and_a_page(tmp_path: Path) -> None:
    drafted = draft(tmp_path, TEXT.encode())
    problem = load_problem(tmp_path / "out" / "sales.yaml")
    assert problem == drafted.problem
    assert problem.source.primary_key == ("no",)
    assert (problem.source.delimiter, problem.source.decimal) == (";", ",")
    assert (tmp_path / "out" / "sales.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.replace("\n", "\r\n").encode(),
        gzip.compress(TEXT.encode()),
        TEXT.replace(";a;", ";ä;").encode("latin-1"),
        TEXT.replace(";", " ; ").encode(),
    ],
    ids=["utf-8 with mark", "utf-16", "windows line ends", "gzip", "latin-1", "blanks"],
)
def test_however_a_file_is_written_its_rows_are_the_same(content: bytes, tmp_path: Path) -> None:
    drafted = draft(tmp_path, content)
    assert (drafted.total_rows, drafted.ragged_rows) == (300, 0)
    columns = drafted.problem.columns()
    assert [column.type for column in columns.values()] == ["string", "number", "string", "boolean"]


def test_parquet_is_drafted_from_its_values(tmp_path: Path) -> None:
    rows = {
        "id": list(range(300)),
        "size": [None, *(float(n) for n in range(299))],
        "y": [n % 3 == 0 for n in range(300)],
    }
    pq.write_table(pa.table({**rows, "tags": [["a"]] * 300}), tmp_path / "some-sales.csv")
    source = draft(tmp_path, label="y").problem.source
    assert source.format == "parquet"
    assert source.primary_key == ("id",)
    assert source.columns["size"].nullable


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"a;b\n", "a header and no row"),
        (b"a\n1\n", "one column"),
        (b"a,b,a\n1,2,3\n", "its header names 'a' more than once"),
        (b"\x7fELF\0\0\0", "NUL bytes"),
        (b"PAR1 and no more", "Parquet"),
        (gzip.compress(TEXT.encode())[:-40], "cut off"),
        (b'a,b,sold\n1,"2,3\n4,5,6\n', "as many fields as the header"),
    ],
)
def test_what_is_no_table_is_refused_and_nothing_is_written(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(MillraceError, match="cannot be read") as refused:
        draft(tmp_path, content)
    assert said in refused.value.found
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MillraceError) as refused:
        draft(tmp_path)
    assert refused.value.found == "no such file"


def test_rows_of_another_width_are_left_out_and_told(tmp_path: Path) -> None:
    drafted = draft(tmp_path, (TEXT + "K99999;1\nK99998;1;2;3;4\n").encode())
    assert (drafted.total_rows, drafted.ragged_rows) == (300, 2)


def test_a_problem_file_that_is_there_stays_unless_forced(tmp_path: Path) -> None:
    draft(tmp_path, TEXT.encode())
    edited = tmp_path / "out" / "sales.yaml"
    edited.write_text("mine", encoding="utf-8")
    with pytest.raises(MillraceError, match="there already") as refused:
        draft(tmp_path)
    assert "--force" in refused.value.fix
    assert edited.read_text(encoding="utf-8") == "mine"
    draft(tmp_path, force=True)
    assert load_problem(edited).problem == "sales"


def test_of_a_large_file_evenly_spread_parts_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_unseen_file, "MOST_ROWS", 10_000)
    monkeypatch.setattr(read_unseen_file, "BLOCK_BYTES", 1 << 12)
    lines = [f"{n};{n / 7:.3f};{'yes' if n % 3 else 'no'}".replace(".", ",") for n in range(40_000)]
    drafted = draft(tmp_path, "\n".join(["no;size;sold", *lines, ""]).encode())
    assert drafted.total_rows == 40_000
    assert 5_000 <= drafted.table.rows <= 10_000
    size = next(place.profile for place in drafted.table.columns if place.profile.name == "size")
    assert size.seen is not None
    assert size.seen[0] < 300
    assert size.seen[2] > 5_000, "the end of the file is seen, too"
    assert f"{drafted.table.rows:,} of 40,000 rows" in (tmp_path / "out" / "sales.yaml").read_text(encoding="utf-8")


def test_a_name_is_made_from_the_file() -> None:
    assert name_from("2024 Große Kunden.csv.gz") == "p_2024_grosse_kunden"


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "label", "told"),
    [
        ("pima_diabetes.csv", "Outcome", ["Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI"]),
        ("healthcare-dataset-stroke-data.csv", "stroke", ["gender", "smoking_status"]),
        ("loan_data.csv", "loan_status", ["previous_loan_defaults_on_file"]),
        ("stroke_synthetic_health_data.csv", "heart_disease", ["name", "country"]),
    ],
)
def test_the_traps_of_the_real_files_are_pointed_out(file: str, label: str, told: list[str], tmp_path: Path) -> None:
    if not (DATA / file).is_file():
        pytest.skip(f"{file} is not in {DATA}")
    output, report = tmp_path / "real.yaml", tmp_path / "real.html"
    drafted = draft_problem(DATA / file, label=label, name="real", output=output, report=report, force=False)
    assert [one.column for one in drafted.decisions if one.column] == told
