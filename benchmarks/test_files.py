"""Large landings against the real object store: one file of 2 GB, and ten thousand small ones. Memory stays bounded."""

import multiprocessing
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks import report
from millrace.adapters import object_store
from millrace.contract.problem import Problem
from millrace.steps.ingest_files import RUN_FILES
from millrace.steps.landed_files import new_files
from tests.steps.ingesting import HEADER, ingest
from tests.steps.small_problem import small_problem

pytestmark = [pytest.mark.bench, pytest.mark.stack, pytest.mark.timeout(3600)]
LARGE_BYTES = 2 << 30
SMALL_FILES = 10_000
PADDING = b" that somebody has described at some length"
PEAK_MIB = 1500
"""Of which assigned keys may take 24 bytes a row: 600 MB for 25 million rows."""


def test_one_large_file(tmp_path: Path) -> None:
    with small_problem() as problem:
        file = tmp_path / "large.csv"
        rows = write_large(file)
        object_store.upload_landing(f"{problem.landing_prefix}{file.name}", file)
        (run,) = ingested(problem)
    assert run["rows"] == rows
    assert run["peak_mib"] < PEAK_MIB
    report.write(
        "large-file",
        "One file of 2 GB",
        {
            "file": f"{LARGE_BYTES >> 20:,} MiB of CSV, {rows:,} rows, keys assigned",
            "to bronze, checked and published": f"{run['seconds']:.0f} s, {rows / run['seconds']:,.0f} rows/s",
            "peak memory of the process": f"{run['peak_mib']:.0f} MiB",
        },
        how="A generated file landed in the object store, then ingested in a process of its own.",
    )


def test_ten_thousand_small_files() -> None:
    with small_problem() as problem:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: land_small(problem, number), range(SMALL_FILES)))
        began = time.monotonic()
        assert len(new_files(problem)) == SMALL_FILES
        look = time.monotonic() - began
        runs = ingested(problem)
        assert new_files(problem) == []
    assert [run["files"] for run in runs] == [RUN_FILES] * (SMALL_FILES // RUN_FILES)
    peak = max(run["peak_mib"] for run in runs)
    assert peak < PEAK_MIB
    seconds = [run["seconds"] for run in runs]
    report.write(
        "small-files",
        "Ten thousand small files",
        {
            "files": f"{SMALL_FILES:,} of two rows, in {len(runs)} runs of {RUN_FILES:,}",
            "to bronze, checked and published": f"{sum(seconds):.0f} s, the slowest run {max(seconds):.0f} s",
            "one look for new files among them": f"{look:.1f} s",
            "peak memory of the process": f"{peak:.0f} MiB",
        },
        how="Generated files landed in the object store, then ingested in a process of its own, run after run.",
    )


def write_large(file: Path) -> int:
    """Write a file of `LARGE_BYTES` of distinct rows; how many."""
    rows = 0
    with file.open("wb") as to:
        to.write(HEADER)
        while to.tell() < LARGE_BYTES:
            numbers = range(rows, rows + 10_000)
            to.write(
                b"".join(
                    b"%d.%d,kind number %d of very many%s,yes,%d\n" % (n, n % 97, n % 1013, PADDING, n % 2)
                    for n in numbers
                )
            )
            rows += 10_000
    return rows


def land_small(problem: Problem, number: int) -> None:
    content = HEADER + b"%d,a,yes,0\n%d,b,no,1\n" % (number, number)
    object_store.put_landing(f"{problem.landing_prefix}{number:05d}.csv", content)


def ingested(problem: Problem) -> list[dict[str, float]]:
    """What runs of ingestion tell until nothing is new, in a process of its own: only so is its peak its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_ingest, args=(problem, theirs))
    process.start()
    theirs.close()
    try:
        return list(_received(ours))
    finally:
        process.join()


def _received(connection: "multiprocessing.connection.Connection") -> Iterator[dict[str, float]]:
    while True:
        try:
            yield connection.recv()
        except EOFError:
            return


def _ingest(problem: Problem, to: "multiprocessing.connection.Connection") -> None:
    number = 0
    while new_files(problem):
        began = time.monotonic()
        done = ingest(problem, f"run {number}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        to.send({key: done[key] for key in ("files", "rows")} | {"seconds": time.monotonic() - began, "peak_mib": peak})
        number += 1
    to.close()
