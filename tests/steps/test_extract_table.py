"""Table to file: what is new lands once and as a whole, whoever is killed or comes second; or it is said why not."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import extracts, object_store, source_table
from millrace.contract.problem import Problem
from millrace.domain.extraction import Watermark
from millrace.settings import get_settings
from millrace.steps.extracts_state import extracts_state
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data
from millrace.steps.pending import pending_extract, pending_ingest_files
from tests.extracting import content, files, insert, keys, own_table, run, sales, uploads, write
from tests.steps.transforming import COLUMNS, quarantine, silver, to_silver

pytestmark = pytest.mark.stack
Reading = source_table.Reading


@pytest.fixture
def problem(request: pytest.FixtureRequest) -> Iterator[Problem]:
    """Sales from a watermark on, unless a test says otherwise."""
    with own_table(sales(**getattr(request, "param", {"watermark": "changed_at"}))) as problem:
        yield problem


def to_bronze(problem: Problem) -> None:
    name = uuid.uuid4().hex
    ingested = ingest_raw_data(problem, attempt=name, run_id=name)
    assert ingested["set_aside"] == []
    check_raw_data(problem, ingested)


TYPED_COLUMNS: dict[str, Any] = {
    "id": {"type": "string"},
    "seen_at": {"type": "timestamp"},
    "day": {"type": "timestamp", "nullable": True},
    "local": {"type": "timestamp", "nullable": True},
    "price": {"type": "number", "nullable": True},
    "weight": {"type": "number", "nullable": True},
    "exact": {"type": "number", "nullable": True},
    "count": {"type": "integer", "nullable": True},
    "whole": {"type": "integer", "nullable": True},
    "paid": {"type": "boolean", "nullable": True},
    "note": {"type": "string", "nullable": True},
    "told": {"type": "string", "nullable": True, "header": "What was told"},
    "number": {"type": "string", "nullable": True},
    "sold": {"type": "integer", "allowed": [0, 1], "nullable": True},
}


def test_every_type_of_the_table_is_in_silver_what_it_was(spark: SparkSession) -> None:
    made = sales(columns=TYPED_COLUMNS)
    statement = (
        "CREATE TABLE {table} (id uuid PRIMARY KEY, seen_at timestamptz, day date, local timestamp, price"
        " numeric(12, 2), weight real, exact double precision, count bigint, whole numeric, paid boolean, note text,"
        " told jsonb, number bigint, sold smallint, secret text)"
    )
    first, second, third = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
    with own_table(made, statement) as problem:
        place = ", ".join(["%s"] * 14)
        insert_row = f"INSERT INTO {{table}} VALUES ({place})"
        values = ["2026-03-01 12:00:00.123456+02", "2026-03-02", "2026-03-03 04:05", "1234.50", 0.1, 1 / 3]
        values += [2**40, "7.00", True, 'two\nlines, "quoted" — é', '{"a": 1}', 123_456_789_012_345_678, 1]
        write(problem, insert_row, [first, *values])  # type: ignore[arg-type]
        write(problem, insert_row, [second, "2026-03-01Z", *[None] * 8, "", None, None, None])  # type: ignore[arg-type]
        odd = ["infinity", "12026-01-01", "0044-03-15 BC", "NaN", "Infinity", 1e300, None, "7.5"]
        write(problem, insert_row, [third, *odd, False, "odd", None, None, 0])  # type: ignore[arg-type]
        told = run(problem)
        assert told["rows"] == 3
        table = content(problem, files(problem)[0])
        assert "secret" not in table.schema.names
        assert "What was told" in table.schema.names

        to_bronze(problem)
        to_silver(spark, problem)
        found = {row["id"]: row for row in silver(problem).values()}
        assert {key: str(row["seen_at"]) for key, row in found.items()} == {
            first: "2026-03-01 10:00:00.123456+00:00",
            second: "2026-03-01 00:00:00+00:00",
        }
        row = found[first]
        assert (str(row["day"]), str(row["local"])) == ("2026-03-02 00:00:00+00:00", "2026-03-03 04:05:00+00:00")
        assert (row["price"], row["weight"], row["exact"]) == (1234.5, 0.1, 1 / 3)
        assert (row["count"], row["whole"], row["paid"], row["sold"]) == (2**40, 7, True, 1)
        assert (row["note"], row["told"]) == ('two\nlines, "quoted" — é', '{"a": 1}')
        assert row["number"] == "123456789012345678"
        assert {found[second][name] for name in ("day", "local", "price", "count", "paid", "told", "sold")} == {None}
        # What the contract's types do not hold stops no other row.
        [broken] = quarantine(problem)
        assert {"type:seen_at", "type:day", "type:local", "type:price", "type:weight", "type:whole"} <= {
            reason["code"] if isinstance(reason, dict) else reason for reason in broken["reasons"]
        }


@pytest.mark.parametrize("problem", [{}], indirect=True)
def test_without_a_watermark_every_row_lands_when_one_is_another(problem: Problem) -> None:
    assert run(problem)["said"] == "the table is empty"
    insert(problem, "a", "b")
    first = run(problem)
    assert (first["rows"], first["until"]) == (2, None)
    assert run(problem)["said"] == "nothing new among 2 rows"
    write(problem, "UPDATE {table} SET size = 2 WHERE id = 'a'")
    write(problem, "DELETE FROM {table} WHERE id = 'b'")
    assert run(problem)["rows"] == 1
    assert keys(problem) == [["a", "b"], ["a"]]
    # As it was before: another file, for a file says what is true when it lands.
    write(problem, "UPDATE {table} SET size = 1 WHERE id = 'a'")
    assert run(problem)["rows"] == 1
    assert len(files(problem)) == 3


@pytest.mark.parametrize("problem", [{"watermark": "changed_at", "overlap": 60}], indirect=True)
def test_from_a_watermark_on_only_what_is_new_lands_and_who_commits_late_is_not_missed(problem: Problem) -> None:
    insert(problem, "old", changed="now() - interval '1 day'")
    insert(problem, "new")
    assert run(problem)["rows"] == 2
    assert run(problem)["said"] == "nothing new among 1 rows"
    # Written before what has landed, and committed after it.
    insert(problem, "late", changed="now() - interval '30 seconds'")
    insert(problem, "next")
    assert run(problem)["rows"] == 3
    write(problem, "UPDATE {table} SET size = 5, changed_at = now() WHERE id = 'old'")
    assert run(problem)["rows"] == 4
    assert keys(problem) == [["new", "old"], ["late", "new", "next"], ["late", "new", "next", "old"]]
    assert run(problem)["path"] is None


def test_whole_numbers_are_a_watermark() -> None:
    columns = {**COLUMNS, "version": {"type": "integer"}}
    with own_table(sales(columns=columns, watermark="version", overlap=2)) as numbered:
        rows = "SELECT 'k' || n, now(), 1, NULL, '1', 1, n FROM generate_series(%s::int, %s::int) n"
        statement = f"INSERT INTO {{table}} {rows}"
        write(numbered, statement, [1, 10])
        assert run(numbered)["until"] == "10"
        write(numbered, statement, [11, 12])
        assert run(numbered)["rows"] == 5
        write(numbered, "UPDATE {table} SET version = NULL WHERE id = 'k1'")
        # A row without a watermark is always read: the contract says what becomes of it.
        assert "k1" in keys(numbered)[0]
        assert run(numbered)["rows"] == 4
        assert "k1" in keys(numbered)[2]


def test_a_time_in_the_future_passes_over_no_row(problem: Problem) -> None:
    insert(problem, "ahead", changed="now() + interval '900 years'")
    insert(problem, "never", changed="'infinity'")
    insert(problem, "now")
    run(problem)
    insert(problem, "later")
    run(problem)
    assert "later" in keys(problem)[1]


def test_what_landed_and_was_not_recorded_is_not_landed_again(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(problem, "a")
    with monkeypatch.context() as killed:
        killed.setattr(extracts, "record", _killed)
        with pytest.raises(KeyboardInterrupt):
            run(problem, run_id="first")
    assert extracts.newest(problem.problem) is None
    insert(problem, "b")
    # The same run, tried again: what it was to do is done.
    again = run(problem, run_id="first")
    assert (again["rows"], keys(problem)) == (1, [["a"]])
    # Another run goes on from what the file tells of itself.
    assert run(problem, run_id="second")["rows"] == 2
    found = extracts.newest(problem.problem)
    assert found is not None
    assert (found.number, found.run_id) == (2, "second")


def test_of_an_upload_that_was_killed_nothing_is_visible(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    insert(problem, "a")
    with monkeypatch.context() as killed:
        killed.setattr(Reading, "stream", _killed)
        with pytest.raises(KeyboardInterrupt):
            run(problem)
    assert (files(problem), uploads(problem)) == ([], [])
    assert pending_ingest_files(problem) is None
    assert run(problem)["rows"] == 1
    assert extracts.newest(problem.problem).number == 1  # type: ignore[union-attr]


def test_an_attempt_that_was_given_up_and_lands_late_is_refused(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(problem, "a")
    stream, others = Reading.stream, []

    def while_another_lands(reading: Reading, begin: Watermark | None) -> Iterator[bytes]:
        """The attempt has read its rows when another, of a later state, reads and lands."""
        pieces = [*stream(reading, begin)]
        if not others:
            others.append("")
            write(problem, "UPDATE {table} SET size = 9, changed_at = now()")
            others.append(run(problem, run_id="other")["path"])
        yield from pieces

    monkeypatch.setattr(Reading, "stream", while_another_lands)
    told = run(problem, run_id="late")
    assert told["said"] == "nothing new among 1 rows"
    assert [problem.landing_prefix + name for name in files(problem)] == others[1:]
    assert content(problem, files(problem)[0])["size"].to_pylist() == [9]
    assert uploads(problem) == []


def test_an_object_that_tells_nothing_of_itself_takes_a_number_and_is_no_level(problem: Problem) -> None:
    insert(problem, "a")
    run(problem)
    # As a backup puts it back.
    path = problem.landing_prefix + f"extract-{problem.problem}-00000002.parquet"
    object_store.put(get_settings().landing_bucket, path, b"")
    insert(problem, "b")
    assert run(problem)["rows"] == 2
    assert len(files(problem)) == 3


def test_what_was_read_is_told(problem: Problem) -> None:
    assert pending_extract(problem) == f"{problem.extract_table} was never read"
    assert (extracts_state(problem).landed, extracts_state(problem).looked) == ("nothing yet", "never")
    run(problem)
    assert pending_extract(problem) is None
    assert extracts_state(problem).landed == "nothing yet"
    assert extracts_state(problem).looked.endswith("the table is empty")
    insert(problem, "a", "b")
    told = run(problem)
    state = extracts_state(problem)
    assert state.landed.endswith("2 rows, all there were")
    assert state.until == told["until"]
    assert state.looked.endswith(f"2 rows in {told['path']}")


def _killed(*_arguments: object, **_more: object) -> None:
    raise KeyboardInterrupt
