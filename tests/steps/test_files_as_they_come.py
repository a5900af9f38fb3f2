"""Files as they come: whatever lands, its rows are in bronze or it is named, and the others go on."""

import gzip
import io
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from millrace.adapters import lake, object_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps import ingest_files
from millrace.steps.landed_files import Difference, compare_with_bronze, landed, new_files
from millrace.steps.pending import pending_ingest_files
from tests.steps.ingesting import HEADER, bronze, ingest, land, rows_by_file, set_aside
from tests.steps.small_problem import COLUMNS, small_problem

pytestmark = pytest.mark.stack

TABLE = HEADER + b"1,a,yes,0\n"
LONG = HEADER + b"".join(b"%d,a,yes,0\n" % (number * 7919) for number in range(5_000))
ONE = [{"Size": "1", "kind": "a", "done": "yes", "sold": "0"}]

READ: dict[str, tuple[bytes, list[dict[str, str]]]] = {
    "plain.csv": (TABLE, ONE),
    "other order.csv": (b"sold,done,Size,kind\n0,yes,1,a\n", ONE),
    "extra.csv": (b"Size,note,kind,done,sold\n1,n,a,yes,0\n", [{**ONE[0], "note": "n"}]),
    "windows.csv": (b"\xef\xbb\xbf" + TABLE.replace(b"\n", b"\r\n"), ONE),
    "utf-16.csv": (TABLE.decode().encode("utf-16"), ONE),
    "quoted.csv": (HEADER + b'1,"a\nb, ""c""",yes,0\n', [{**ONE[0], "kind": 'a\nb, "c"'}]),
    "no last line end.csv": (TABLE.rstrip(), ONE),
    "blank lines.csv": (TABLE.replace(b"\n", b"\n\n"), ONE),
    "header only.csv": (HEADER, []),
    "packed.csv.gz": (gzip.compress(TABLE), ONE),
    "packed twice.csv.gz": (gzip.compress(HEADER) + gzip.compress(TABLE.removeprefix(HEADER)), ONE),
    "packed.csv.zst": (zstandard.compress(TABLE), ONE),
    "packed, and called as if not.csv": (gzip.compress(TABLE), ONE),
    "no ending": (TABLE, ONE),
    "größe 100%25 & a+b=c?#'\".csv": (TABLE, ONE),
    "day=2026-01-31/part.0.csv": (TABLE, ONE),
}

SET_ASIDE: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", "the file is empty"),
    "cut.csv": (TABLE + b"2,b", "the file ends in the middle of data row 2: expected 4 fields, found 2"),
    "cut.csv.gz": (gzip.compress(LONG)[:-20], "its gzip data ends before it is complete: the file was cut off"),
    "cut.csv.zst": (zstandard.compress(LONG)[:-20], "its Zstandard data ends before it is complete"),
    "damaged.csv.gz": (gzip.compress(LONG)[:900] + b"\xff" * 900, "its gzip data is damaged"),
    "other case.csv": (b"size,kind,done,sold\n1,a,yes,0\n", 'the header lacks Size (is it "size"?)'),
    "to be scored.csv": (b"Size,kind,done\n1,a,yes\n", "the header lacks sold"),
    "twice.csv": (b"Size,kind,done,sold,kind\n1,a,yes,0,b\n", "the header names kind more than once"),
    "no header.csv": (b"1,a,yes,0\n2,a,yes,0\n", "the header lacks Size, kind, done, sold; or has the file no header"),
    "latin.csv": (HEADER + "1,größe,yes,0\n".encode("latin-1"), "byte 24 (0xF6) is not UTF-8"),
    "quote.csv": (HEADER + b'1,"a,yes,0\n', "a quote is wrong or never closed in data row 1"),
    "excel.csv": (b"PK\x03\x04" + bytes(100), "it is a ZIP archive or an Excel workbook"),
    "table.parquet": (b"PAR1\x15\x04" + bytes(100), "it is a Parquet file, and the source's format is csv"),
}

NO_FILES = (".hidden.csv", "_SUCCESS", "_temporary/0/part.csv", ".staging/part.csv", "folder/")


@pytest.fixture
def problem() -> Iterator[Problem]:
    with small_problem() as problem:
        yield problem


def test_what_can_be_read_is_read_what_cannot_is_named_and_the_others_go_on(problem: Problem) -> None:
    for name, (content, _) in (READ | SET_ASIDE).items():
        land(problem, name, content)
    for name in NO_FILES:
        land(problem, name, TABLE)
    assert ingest(problem)["files"] == len(READ) + len(SET_ASIDE)
    assert rows_by_file(problem) == {name: rows for name, (_, rows) in READ.items()}
    told = set_aside(problem)
    assert told.keys() == SET_ASIDE.keys()
    assert {name: detail[: len(SET_ASIDE[name][1])] for name, detail in told.items()} == {
        name: detail for name, (_, detail) in SET_ASIDE.items()
    }
    assert new_files(problem) == []


def test_parquet_becomes_the_rows_that_csv_becomes() -> None:
    table = pa.table({"sold": [0], "Size": [1.0], "kind": ["a"], "done": [True]})
    files = {
        "table.parquet": parquet(table),
        "lists.parquet": parquet(table.append_column("list", pa.array([[1]]))),
        "no rows.parquet": parquet(table.slice(0, 0)),
        "cut.parquet": parquet(table)[:-9],
        "types.parquet": parquet(table.set_column(0, "sold", pa.array([[1]]))),
        "columns.parquet": parquet(table.drop_columns(["Size"])),
        "text.csv": TABLE,
    }
    with small_problem(format="parquet") as problem:
        for name, content in files.items():
            land(problem, name, content)
        ingest(problem)
        rows = [{"sold": "0", "Size": "1", "kind": "a", "done": "true"}]
        assert rows_by_file(problem) == {"table.parquet": rows, "lists.parquet": rows, "no rows.parquet": []}
        told = set_aside(problem)
        assert told["columns.parquet"] == "the header lacks Size"
        assert "no whole Parquet file" in told["cut.parquet"]
        assert "no whole Parquet file" in told["text.csv"]
        assert told["types.parquet"].startswith("sold is list<")


def test_a_file_without_a_header_is_read_by_the_order_of_the_contract() -> None:
    with small_problem(has_header=False) as problem:
        land(problem, "a.csv", b"1,a,yes,0\n2,b\n")
        land(problem, "header.csv", TABLE)
        ingest(problem)
        assert rows_by_file(problem) == {"a.csv": [*ONE, {}]}
        assert "its first row names the columns" in set_aside(problem)["header.csv"]


def test_a_batch_whose_label_comes_later_is_read_where_the_label_is_optional() -> None:
    columns = COLUMNS | {"sold": COLUMNS["sold"] | {"optional": True}}
    with small_problem(columns=columns) as problem:
        land(problem, "to be scored.csv", SET_ASIDE["to be scored.csv"][0])
        ingest(problem)
        assert rows_by_file(problem) == {"to be scored.csv": [{"Size": "1", "kind": "a", "done": "yes"}]}


def test_a_file_appears_when_its_upload_is_complete(problem: Problem) -> None:
    store, bucket, key = object_store.client(), get_settings().landing_bucket, f"{problem.landing_prefix}parts.csv"
    upload = store.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = store.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=TABLE)
    assert list(landed(problem)) == []
    assert ingest(problem)["files"] == 0
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    store.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload=parts)  # type: ignore[arg-type]
    ingest(problem)
    assert rows_by_file(problem) == {"parts.csv": ONE}
    assert new_files(problem) == []


def test_the_rows_of_a_removed_file_stay_and_it_is_told(problem: Problem, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.csv", "b.csv"):
        path = land(problem, name, TABLE)
    ingest(problem)
    object_store.delete_prefix(get_settings().landing_bucket, path)
    assert compare_with_bronze(problem).removed == [path]
    with caplog.at_level("INFO"):
        assert ingest(problem, "again")["files"] == 0
    assert f"1 files are no longer there, such as {path}; their rows stay" in caplog.text
    assert rows_by_file(problem) == {"a.csv": ONE, "b.csv": ONE}
    land(problem, "b.csv", TABLE)
    assert compare_with_bronze(problem) == Difference([], []), "put back as it was, it says nothing new"


@pytest.mark.parametrize("when", ["stream", "head"])
def test_a_file_replaced_before_or_while_it_is_read_is_taken_as_it_is_then(
    problem: Problem, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land(problem, "a.csv", TABLE)
    land(problem, "b.csv", TABLE)
    replace_first = _before(path, lambda: land(problem, "a.csv", HEADER + b"2,a,yes,0\n"), getattr(object_store, when))
    monkeypatch.setattr(object_store, when, replace_first)
    first = ingest(problem, "first")
    monkeypatch.undo()
    assert (first["files"], first["left"]) == (1, 1)
    assert [file.path for file in new_files(problem)] == [path]
    ingest(problem, "second")
    assert rows_by_file(problem) == {"a.csv": [{**ONE[0], "Size": "2"}], "b.csv": ONE}


@pytest.mark.parametrize("bound", [{"RUN_FILES": 2}, {"RUN_BYTES": 2 * len(TABLE)}])
def test_a_run_takes_so_many_files_and_the_level_says_that_there_are_more(
    problem: Problem, bound: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bound.items():
        monkeypatch.setattr(ingest_files, name, value)
    paths = [land(problem, f"{number}.csv", TABLE) for number in range(5)]
    told: list[tuple[int, int]] = []
    while pending_ingest_files(problem):
        done = ingest(problem, f"run {len(told)}")
        told.append((done["files"], done["left"]))
    assert told == [(2, 3), (2, 1), (1, 0)]
    assert [row["path"] for row in bronze(problem, "row")] == paths


def test_a_file_larger_than_a_run_is_taken_alone(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_files, "RUN_BYTES", 1)
    for name in ("a.csv", "b.csv"):
        land(problem, name, TABLE)
    assert [ingest(problem, run)["files"] for run in ("1", "2", "3")] == [1, 1, 0]


def test_many_small_files_are_a_few_objects_of_the_lake(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_files, "BATCH_ROWS", 8)
    for number in range(10):
        land(problem, f"{number}.csv", HEADER + b"1,a,yes,0\n" * number)
    ingest(problem)
    assert {name: len(rows) for name, rows in rows_by_file(problem).items()} == {f"{n}.csv": n for n in range(10)}
    files = lake.catalog().load_table(names.bronze_files(problem.source_name)).inspect.files()
    # Two files fill a batch and have one of their own; the others share one; the markers have one.
    assert len(files) == 4


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def _before(path: str, do: Callable[[], Any], then: Callable[..., Any]) -> Callable[..., Any]:
    def call(bucket: str, key: str, *more: Any) -> Any:
        if key == path:
            do()
        return then(bucket, key, *more)

    return call
