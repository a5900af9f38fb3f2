"""The section `changes`: what it derives, what it refuses, and that it decides neither rows nor packages."""

from pathlib import Path

import pytest

from millrace.contract.loading import InvalidProblemError, load_problem, load_problems
from tests.contract.minimal import MINIMAL

FOLLOWED = MINIMAL.replace(
    "    assigned_time: file_modified\n", "    event_timestamp: seen_at\n    changes: {}\n"
).replace("      months:", "      seen_at: {type: timestamp}\n      months:")


def write(folder: Path, text: str, name: str = "churn") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_section_takes_every_default(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path, FOLLOWED))
    changes = problem.source.changes
    assert changes is not None
    assert (changes.rows, changes.seconds, changes.max_rows) == (1000, 30, 500_000)
    assert (changes.retry_seconds, changes.allow_truncate) == (600, False)
    assert problem.change_table == "public.customers"
    assert problem.change_topic == "churn.public.customers"


def test_another_table_is_followed_under_its_own_name(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path, FOLLOWED.replace("changes: {}", "changes: {table: crm.people}")))
    assert problem.change_topic == "churn.crm.people"


def test_without_the_section_there_is_no_topic(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path, MINIMAL))
    assert problem.change_table is problem.change_topic is None


@pytest.mark.parametrize("said", ["changes: {}", "changes: {table: crm.people, rows: 7, allow_truncate: true}"])
def test_the_way_by_which_rows_come_changes_neither_hash_nor_package(tmp_path: Path, said: str) -> None:
    by_files = load_problem(write(tmp_path, FOLLOWED.replace("    changes: {}\n", "")))
    followed = load_problem(write(tmp_path, FOLLOWED.replace("changes: {}", said)))
    assert followed.source.changes is not None
    assert followed.contract_hash() == by_files.contract_hash()
    assert followed.gold_hash() == by_files.gold_hash()
    assert followed.model_dump_json() == by_files.model_dump_json()


@pytest.mark.parametrize(
    ("found", "replaced", "said"),
    [
        ("    primary_key: [customer]\n", "    assigned_key: row_content\n", "changes needs primary_key"),
        ("    event_timestamp: seen_at\n", "    assigned_time: file_modified\n", "changes needs event_timestamp"),
        ("changes: {}", "changes: {row: 5}", 'did you mean "rows"?'),
        ("changes: {}", "changes: {table: people}", "pattern"),
        ("changes: {}", "changes: {table: millrace.people}", "not of the schema millrace"),
        ("changes: {}", "changes: {table: pg_temp.people}", "not of the schema pg_temp"),
        ("changes: {}", "changes: {max_rows: 0}", "greater than or equal to 1"),
        ("changes: {}", "changes: yes please", "keys and values"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_its_line(tmp_path: Path, found: str, replaced: str, said: str) -> None:
    path = write(tmp_path, FOLLOWED.replace(found, replaced, 1))
    with pytest.raises(InvalidProblemError) as caught:
        load_problem(path)
    assert said in str(caught.value)
    assert f"{path}:" in str(caught.value)


def test_one_table_is_followed_by_one_problem(tmp_path: Path) -> None:
    write(tmp_path, FOLLOWED)
    other = FOLLOWED.replace("problem: churn", "problem: again").replace("customers:", "others:")
    write(tmp_path, other.replace("changes: {}", "changes: {table: public.customers}"), "again")
    problems, errors = load_problems(tmp_path)
    assert list(problems) == ["again"]
    assert "table public.customers is already followed by problem again" in str(errors[0])
