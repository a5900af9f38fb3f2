"""A table that cannot be read as the contract says, or goes away: nothing lands, and it is said what to do."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import sql

from millrace.adapters import extracts, source_table
from millrace.contract.errors import MillraceError, VerdictError
from millrace.contract.problem import Problem
from millrace.domain.extraction import Watermark
from millrace.steps import extracted_file
from tests.extracting import files, insert, keys, own_table, run, sales, superuser, uploads, write

pytestmark = pytest.mark.stack
Reading = source_table.Reading


@pytest.fixture
def problem() -> Iterator[Problem]:
    """Sales from a watermark on."""
    with own_table(sales(watermark="changed_at")) as problem:
        yield problem


def test_a_database_that_leaves_in_the_middle_lands_nothing(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "INSERT INTO {table} SELECT n::text, now(), 1, repeat('x', 200), '1', 1, now() FROM generate_series(1, %s) n"
    write(problem, rows, [90_000])
    stream = Reading.stream

    def leaves(reading: Reading, begin: Watermark | None) -> Iterator[bytes]:
        pieces = stream(reading, begin)
        yield next(pieces)
        with superuser() as connection:
            ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'extract'"
            assert connection.execute(ended).fetchall() != [(0,)]
        yield from pieces

    with monkeypatch.context() as leaving:
        leaving.setattr(Reading, "stream", leaves)
        with pytest.raises(MillraceError, match="The source database cannot be reached") as away:
            run(problem)
    assert not isinstance(away.value, VerdictError)
    assert (files(problem), uploads(problem)) == ([], [])
    assert run(problem)["rows"] == 90_000


def test_a_watermark_that_went_back_stops_until_every_row_is_asked_for(problem: Problem) -> None:
    insert(problem, "a", changed="now() - interval '2 days'")
    insert(problem, "b")
    run(problem)
    write(problem, "DELETE FROM {table} WHERE id = 'b'")
    with pytest.raises(VerdictError, match="watermark of the source's table went back") as refused:
        run(problem)
    assert f"`millrace extract {problem.problem} --full`" in refused.value.fix
    assert len(files(problem)) == 1
    assert run(problem, full=True)["rows"] == 1
    insert(problem, "c", changed="now() - interval '1 day'")
    assert run(problem)["rows"] == 2
    assert keys(problem) == [["a", "b"], ["a"], ["a", "c"]]
    # Asked for, every row lands though none is new.
    assert run(problem, full=True)["rows"] == 2


def test_another_table_or_column_begins_with_every_row(problem: Problem) -> None:
    insert(problem, "old", changed="now() - interval '2 days'")
    insert(problem, "new")
    run(problem)
    told = problem.model_dump(exclude_defaults=True)
    extract = {"watermark": "changed_at"}
    [source] = told["sources"].values()
    source["extract"] = extract
    source["columns"] = {**source["columns"], "more": {"type": "string", "nullable": True}}
    other = Problem.model_validate(told)
    with pytest.raises(VerdictError, match="lacks a column of the contract: more"):
        run(other)
    write(problem, "ALTER TABLE {table} ADD more text DEFAULT 'more'")
    assert run(other)["rows"] == 2


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ("DROP TABLE {table}", "The source database has no table"),
        ("ALTER TABLE {table} DROP size", "lacks a column of the contract: size"),
        ("ALTER TABLE {table} ALTER size TYPE boolean USING true", "size is boolean"),
        ("ALTER TABLE {table} ALTER changed_at TYPE text", "changed_at is text"),
        ("REVOKE ALL ON {table} FROM extract", "no right to read id, seen_at"),
        ("REVOKE ALL ON {table} FROM extract; GRANT SELECT (id) ON {table} TO extract", "no right to read seen_at"),
        ("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY", "row-level security policy"),
    ],
)
def test_what_no_retry_mends_is_told_before_anything_is_written(problem: Problem, done: Any, said: str) -> None:
    insert(problem, "a")
    write(problem, done)
    with pytest.raises(VerdictError) as refused:
        run(problem)
    assert said in str(refused.value)
    assert str(problem.extract_table) in str(refused.value)
    assert (files(problem), uploads(problem)) == ([], [])
    assert extracts.newest(problem.problem) is None


def test_the_right_to_the_contract_s_columns_is_enough_and_a_view_will_do(problem: Problem) -> None:
    insert(problem, "a")
    columns = ", ".join(problem.source.columns)
    write(problem, "ALTER TABLE {table} ADD secret text; REVOKE ALL ON {table} FROM extract")
    write(problem, f"GRANT SELECT ({columns}) ON {{table}} TO extract")  # type: ignore[arg-type]
    assert run(problem)["rows"] == 1
    view = f"{problem.source_name}_view"
    told = problem.model_dump(exclude_defaults=True)
    [source] = told["sources"].values()
    source["extract"] = {"watermark": "changed_at", "table": f"public.{view}"}
    with superuser() as connection:
        made = sql.SQL("CREATE VIEW {} AS SELECT * FROM {}")
        connection.execute(made.format(sql.Identifier(view), sql.Identifier(problem.source_name)))
        connection.execute(sql.SQL("GRANT SELECT ON {} TO extract").format(sql.Identifier(view)))
        assert run(Problem.model_validate(told))["rows"] == 1


def test_a_value_that_is_longer_than_any_block_is_told_and_nothing_lands(problem: Problem) -> None:
    insert(problem, "a", "b")
    write(problem, "UPDATE {table} SET note = repeat('ab', %s) WHERE id = 'a'", [extracted_file.BLOCK_BYTES // 4])
    assert run(problem)["rows"] == 2
    write(problem, "UPDATE {table} SET note = repeat(note, 8) WHERE id = 'a'")
    with pytest.raises(MillraceError, match="rows of the table could not be written") as told:
        run(problem, full=True)
    assert "straddling" in told.value.found
    assert (len(files(problem)), uploads(problem)) == (1, [])
