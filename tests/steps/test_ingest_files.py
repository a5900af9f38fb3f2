"""Landed files to bronze: what is taken, what is set aside; neither kills nor races lose or double anything."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.adapters import lake, object_store
from millrace.contract import names
from millrace.contract.errors import LostRaceError, MillraceError, VerdictError
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps import ingest_files
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data
from millrace.steps.landed_files import new_files
from millrace.steps.pending import pending_ingest_files, pending_transform
from tests.steps.ingesting import HEADER, bronze, ingest, land
from tests.steps.small_problem import small_problem

pytestmark = pytest.mark.stack

CONTENT = ("record", "path", "status", "detail", "rows", "row_number", "fields", "malformed", "raw", "assigned_key")


@pytest.fixture
def problem() -> Iterator[Problem]:
    with small_problem() as problem:
        yield problem


def test_rows_keep_their_text_and_their_origin(problem: Problem) -> None:
    path = land(problem, "a.csv", HEADER + b"1.50,,yes,1\n1.50,,yes,1\nx\n")
    published = ingest(problem, "run 1")
    assert (published["rows"], published["files"]) == (3, 1)
    first, second, malformed = bronze(problem, "row")
    assert dict(first["fields"]) == {"Size": "1.50", "kind": "", "done": "yes", "sold": "1"}
    assert (first["path"], first["row_number"], first["run_id"]) == (path, 1, "run 1")
    assert first["assigned_key"].removesuffix("1") == second["assigned_key"].removesuffix("2")
    assert (malformed["fields"], malformed["raw"]) == (None, "x")
    assert malformed["malformed"] == "expected 4 fields, found 1"
    (marker,) = bronze(problem, "file")
    assert (marker["status"], marker["rows"], marker["size"]) == ("ingested", 3, len(HEADER) + 26)
    head = lake.head(names.bronze_files(problem.source_name))
    assert head is not None
    assert (head.properties["millrace.run-id"], head.properties["millrace.files"]) == ("run 1", "1")


def test_what_is_known_is_not_taken_again_and_a_replaced_file_is_new(problem: Problem) -> None:
    path = land(problem, "a.csv", HEADER + b"1,a,yes,0\n")
    assert pending_ingest_files(problem) == f"{path} landed and not ingested"
    ingest(problem)
    assert pending_ingest_files(problem) is None
    before = lake.head(names.bronze_files(problem.source_name))
    again = ingest(problem, "again")
    assert (again["rows"], again["files"]) == (0, 0)
    assert lake.head(names.bronze_files(problem.source_name)) == before
    land(problem, "a.csv", HEADER + b"2,a,yes,0\n")
    ingest(problem, "replaced")
    assert {dict(row["fields"])["Size"] for row in bronze(problem, "row")} == {"1", "2"}


def test_a_file_that_is_put_back_is_the_latest_word_again(problem: Problem) -> None:
    contents = [HEADER + b"%d,a,yes,0\n" % size for size in (1, 2)]
    for run, content in enumerate((*contents, contents[0])):
        path = land(problem, "a.csv", content)
        assert [file.path for file in new_files(problem)] == [path]
        ingest(problem, f"run {run}")
        assert new_files(problem) == []
    told = sorted(bronze(problem, "row"), key=lambda row: row["last_modified"])
    assert [dict(row["fields"])["Size"] for row in told] == ["1", "2", "1"]
    assert len({row["last_modified"] for row in told}) == 3
    land(problem, "a.csv", contents[0])
    assert new_files(problem) == [], "written again, and says nothing new"


def test_only_the_wanted_keys_are_taken(problem: Problem) -> None:
    one, other = (land(problem, name, HEADER + b"1,a,yes,0\n") for name in ("a.csv", "b.csv"))
    assert ingest(problem, keys=[other])["files"] == 1
    assert [file.path for file in new_files(problem)] == [one]
    with pytest.raises(MillraceError, match="no such file") as raised:
        ingest(problem, keys=[other, one + "x"])
    assert one in raised.value.expected


def test_files_are_taken_in_the_order_they_landed(problem: Problem) -> None:
    for name in ("z.csv", "a.csv"):
        land(problem, name, HEADER)
    found = new_files(problem)
    assert [(file.last_modified, file.path) for file in found] == sorted((f.last_modified, f.path) for f in found)


def test_of_two_attempts_the_second_is_refused_and_no_row_is_doubled(problem: Problem) -> None:
    land(problem, "a.csv", HEADER + b"1,a,yes,0\n")
    zombie = ingest_raw_data(problem, attempt="zombie", run_id="r")
    ingest(problem, "retry")
    with pytest.raises(LostRaceError):
        check_raw_data(problem, zombie)
    assert len(bronze(problem, "row")) == len(bronze(problem, "file")) == 1


def test_a_check_repeated_after_it_published_succeeds(problem: Problem) -> None:
    land(problem, "a.csv", HEADER + b"1,a,yes,0\n")
    ingested = ingest_raw_data(problem, attempt="a", run_id="r")
    assert check_raw_data(problem, ingested) == check_raw_data(problem, ingested)
    assert len(bronze(problem, "row")) == 1


def test_a_file_that_vanishes_before_it_is_read_is_left_out(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    path = land(problem, "a.csv", HEADER + b"1,a,yes,0\n")
    gone = _first(lambda key: object_store.delete_prefix(get_settings().landing_bucket, key), object_store.stream)
    monkeypatch.setattr(object_store, "stream", gone)
    assert ingest(problem, keys=[path])["files"] == 0
    assert bronze(problem, "file") == []


def test_an_attempt_that_dies_leaves_nothing_and_its_retry_all(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv"):
        land(problem, name, HEADER + b"1,a,yes,0\n")

    def die(*_: object) -> None:
        raise ConnectionError("the store went away")

    monkeypatch.setattr(lake, "add_files", die)
    with pytest.raises(ConnectionError):
        ingest_raw_data(problem, attempt="dies", run_id="r")
    monkeypatch.undo()
    table = names.bronze_files(problem.source_name)
    assert lake.stray_branches(table, older_than_seconds=-10) == []
    prefix = f"{lake.catalog().load_table(table).location().split('/', 3)[3]}/data/"
    files = [found.key for found in object_store.list_objects(get_settings().lake_bucket, prefix)]
    assert [key for key in files if key.endswith(".parquet")] == []
    ingest(problem, "retry")
    assert len(bronze(problem, "row")) == 2


def test_bronze_that_does_not_hold_what_was_read_is_never_published(problem: Problem) -> None:
    land(problem, "a.csv", HEADER + b"1,a,yes,0\n")
    ingested = ingest_raw_data(problem, attempt="a", run_id="r")
    branch = lake.Branch(ingested["table"], ingested["branch"], ingested["base"])
    lake.append(branch, lake.read(branch.table, ref=branch.name, where="record == 'row'"), {})
    with pytest.raises(VerdictError, match="does not hold what was read") as raised:
        check_raw_data(problem, ingested)
    assert "2 rows up to number 1, marker 1" in raised.value.found
    assert bronze(problem, "row") == []
    assert [file.path for file in new_files(problem)] == [f"{problem.landing_prefix}a.csv"]


def test_transform_is_pending_for_rows_and_not_for_files_set_aside(problem: Problem) -> None:
    land(problem, "empty.csv", b"")
    ingest(problem)
    assert pending_transform(problem) is None
    land(problem, "a.csv", HEADER + b"1,a,yes,0\n2,a,yes,0\n")
    ingest(problem)
    assert pending_transform(problem) == f"2 rows of {names.bronze_files(problem.source_name)} are not in silver"


def test_a_long_file_comes_in_batches_and_in_one_commit(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_files, "BATCH_ROWS", 100)
    lines = b"".join(b"%d,a,yes,0\n" % number for number in range(1, 1_051))
    land(problem, "long.csv", HEADER + lines)
    land(problem, "late_fault.csv", HEADER + lines + b"1,")
    ingest(problem)
    found = bronze(problem, "row")
    assert [dict(row["fields"])["Size"] for row in found] == [str(number) for number in range(1, 1_051)]
    assert {row["path"] for row in found} == {f"{problem.landing_prefix}long.csv"}
    assert len(list(lake.history(names.bronze_files(problem.source_name)))) == 2


FILES = st.lists(st.integers(0, 3), min_size=2, max_size=5)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=FILES, cuts=st.sets(st.integers(1, 4)))
def test_any_split_of_files_over_runs_gives_the_same_bronze(sizes: list[int], cuts: set[int]) -> None:
    contents = [HEADER + b"".join(b"%d,%d,no,1\n" % (n, row) for row in range(n)) for n in sizes]
    with small_problem() as at_once, small_problem() as in_parts:
        for number, content in enumerate(contents):
            land(at_once, f"{number}.csv", content)
            land(in_parts, f"{number}.csv", content)
            if number in cuts:
                ingest(in_parts, f"run {number}")
        ingest(at_once)
        ingest(in_parts)
        assert told(at_once) == told(in_parts)


def told(problem: Problem) -> list[tuple[Any, ...]]:
    rows = [*bronze(problem, "row"), *bronze(problem, "file")]
    return [(row["path"].rsplit("/")[-1], *(row[name] for name in CONTENT if name != "path")) for row in rows]


def _first(do: Callable[[str], None], then: Callable[..., Any]) -> Callable[..., Any]:
    def call(bucket: str, key: str, *more: Any) -> Any:
        do(key)
        return then(bucket, key, *more)

    return call
