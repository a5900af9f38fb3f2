"""A table of millions of rows to a file of Parquet: how fast, and that memory stays flat."""

import multiprocessing
import resource
import time
from multiprocessing.connection import Connection

import pytest

from benchmarks import report
from millrace.adapters import object_store
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.extract_table import extract_table
from tests.extracting import own_table, sales, write

pytestmark = [pytest.mark.bench, pytest.mark.stack, pytest.mark.timeout(3600)]
FEW_ROWS, MANY_ROWS = 200_000, 4_000_000
NEW_ROWS = 1_000
FLAT_MIB = 100
"""By so much more memory may many rows take than few."""


def test_a_large_table() -> None:
    with own_table(sales(watermark="changed_at", overlap=0)) as problem:
        fill(problem, 1, FEW_ROWS)
        few = extracted(problem)
        fill(problem, FEW_ROWS + 1, MANY_ROWS)
        many = extracted(problem, full=True)
        size = max(one.size for one in landed(problem))
        fill(problem, MANY_ROWS + 1, MANY_ROWS + NEW_ROWS)
        new = extracted(problem)
        nothing = extracted(problem)
    # The newest row that was there is read once more: another may have its watermark.
    assert [run["rows"] for run in (few, many, new, nothing)] == [FEW_ROWS, MANY_ROWS, NEW_ROWS + 1, 0]
    assert many["peak_mib"] < few["peak_mib"] + FLAT_MIB
    report.write(
        "extract",
        "A table of four million rows",
        {
            "every row to a landed file": f"{many['seconds']:.0f} s, {MANY_ROWS / many['seconds']:,.0f} rows/s",
            "the file": f"{size / 1e6:,.0f} MB",
            f"{NEW_ROWS:,} new rows of it, by the watermark": f"{new['seconds']:.1f} s",
            "nothing new": f"{nothing['seconds']:.1f} s",
            "peak memory of the process": f"{many['peak_mib']:.0f} MiB",
            f"the same, with {FEW_ROWS:,} rows": f"{few['peak_mib']:.0f} MiB",
        },
        how="Rows of seven columns in the source database, extracted in a process of its own.",
    )


def fill(problem: Problem, first: int, last: int) -> None:
    rows = """
        INSERT INTO {table} (id, seen_at, size, note, phone, sold, changed_at)
        SELECT 'k' || n, '2026-01-01Z', n %% 97 / 3.0, 'note number ' || n, (n * 7919)::text, n %% 2, clock_timestamp()
        FROM generate_series(%s::bigint, %s::bigint) n
    """
    write(problem, rows, [first, last])


def landed(problem: Problem) -> list[object_store.StoredObject]:
    return object_store.list_objects(get_settings().landing_bucket, problem.landing_prefix)


def extracted(problem: Problem, *, full: bool = False) -> dict[str, float]:
    """What an extract tells, in a process of its own: only so is its peak its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_extract, args=(problem, full, theirs))
    process.start()
    theirs.close()
    try:
        told: dict[str, float] = ours.recv()
    except EOFError:
        pytest.fail("the extract ended with an error; it is printed above")
    else:
        return told
    finally:
        process.join()


def _extract(problem: Problem, full: bool, to: Connection) -> None:
    began = time.monotonic()
    done = extract_table(problem, run_id=str(began), full=full)
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    to.send({"rows": done["rows"], "seconds": seconds, "peak_mib": peak})
    to.close()
