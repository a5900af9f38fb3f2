"""The section `extract`: what it derives, what it refuses, and that it decides neither rows nor packages."""

from pathlib import Path

import pytest

from millrace.contract.loading import InvalidProblemError, load_problem
from tests.contract.minimal import MINIMAL

EXTRACTED = MINIMAL.replace(
    "    assigned_time: file_modified\n",
    "    format: parquet\n    event_timestamp: seen_at\n    extract: {watermark: seen_at}\n",
).replace("      months:", "      seen_at: {type: timestamp}\n      months:")
SAID = "extract: {watermark: seen_at}"


def write(folder: Path, text: str) -> Path:
    path = folder / "churn.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_section_reads_every_row_of_the_source_s_table_each_day(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path, EXTRACTED.replace(SAID, "extract: {}")))
    extract = problem.source.extract
    assert extract is not None
    assert (extract.watermark, extract.schedule) == (None, "@daily")
    assert problem.extract_table == "public.customers"
    assert problem.stages[:2] == ("extract", "ingest_files")


def test_an_overlap_is_in_the_watermark_s_own_unit(tmp_path: Path) -> None:
    extract = load_problem(write(tmp_path, EXTRACTED)).source.extract
    assert extract is not None
    assert (extract.overlap_of("timestamp"), extract.overlap_of("integer")) == (300, 1000)
    told = EXTRACTED.replace(SAID, "extract: {table: crm.people, watermark: months, overlap: 7, schedule: null}")
    problem = load_problem(write(tmp_path, told))
    assert problem.source.extract is not None
    assert (problem.source.extract.overlap_of("integer"), problem.source.extract.schedule) == (7, None)
    assert problem.extract_table == "crm.people"


def test_without_the_section_there_is_no_stage(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path, MINIMAL))
    assert problem.extract_table is None
    assert "extract" not in problem.stages


@pytest.mark.parametrize("said", ["extract: {}", "extract: {table: crm.people, watermark: months, overlap: 7}"])
def test_the_way_by_which_rows_come_changes_neither_hash_nor_package(tmp_path: Path, said: str) -> None:
    by_files = load_problem(write(tmp_path, EXTRACTED.replace(f"    {SAID}\n", "")))
    extracted = load_problem(write(tmp_path, EXTRACTED.replace(SAID, said)))
    assert extracted.contract_hash() == by_files.contract_hash()
    assert extracted.gold_hash() == by_files.gold_hash()
    assert extracted.model_dump_json() == by_files.model_dump_json()


@pytest.mark.parametrize(
    ("found", "replaced", "said"),
    [
        ("    format: parquet\n", "", "extract needs format: parquet"),
        (SAID, f"{SAID}\n    changes: {{}}", "extract and changes are two ways for one table"),
        (SAID, f"{SAID}\n    topic: {{name: crm.people, format: debezium}}", "extract and a topic of changes"),
        ("    primary_key: [customer]\n", "    assigned_key: row_content\n", "extract needs primary_key"),
        (SAID, "extract: {watermark: seen}", 'names seen, which is not one of the columns; did you mean "seen_at"?'),
        (SAID, "extract: {watermark: plan}", "must have type timestamp or integer, not string"),
        ("seen_at: {type: timestamp}", "seen_at: {type: timestamp, nullable: true}", "cannot be nullable"),
        ("months: {type: integer, min: 0}", "months: {type: integer, nullable: true}", "is nullable"),
        (SAID, "extract: {overlap: 5}", "overlap is said of a watermark"),
        (SAID, "extract: {watermark: seen_at, overlap: -1}", "greater than or equal to 0"),
        (SAID, "extract: {watermrak: seen_at}", 'did you mean "watermark"?'),
        (SAID, "extract: {table: people}", "pattern"),
        (SAID, "extract: {table: millrace.people}", "not of the schema millrace"),
        (SAID, "extract: {schedule: daily}", "is no schedule"),
    ],
)
def test_what_cannot_be_extracted_is_refused_with_its_line(
    tmp_path: Path, found: str, replaced: str, said: str
) -> None:
    text = EXTRACTED.replace(found, replaced, 1)
    if said == "is nullable":
        text = text.replace(SAID, "extract: {watermark: months}")
    path = write(tmp_path, text)
    with pytest.raises(InvalidProblemError) as caught:
        load_problem(path)
    assert said in str(caught.value)
    assert f"{path}:" in str(caught.value)
