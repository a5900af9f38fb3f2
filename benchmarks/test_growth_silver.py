"""Bronze to silver (cast, judge, quarantine, deduplicate, merge) beside a plain cast-and-append in the same Spark."""

import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from benchmarks import duckdb_way, polars_way, report
from benchmarks.apart import apart
from benchmarks.sales import own_sales, sales
from benchmarks.seeding import copy_files, land, plain_append, settle
from benchmarks.timings import phases
from millrace.adapters import connect, lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.transform_data import transform_data

pytestmark = [pytest.mark.bench, pytest.mark.stack, pytest.mark.timeout(1800)]
GOAL = 2.5
WARM_UP = 1_000_000
KEY = "IF(id % 100 = 7, id - 1, id)"
"""Of a hundred rows one says the key of its neighbour again."""


@dataclass(frozen=True)
class Measured:
    """Seconds of silver by phase and of the check after it; of the plain appends, before and after them."""

    silver: dict[str, float]
    check: float
    plain: list[float]
    told: list[float]
    """Of plain appends that tell as much of a row as silver does."""
    counts: tuple[int, int]
    """Rows of silver and of quarantine."""


@pytest.mark.parametrize("rows", [1_000_000, 10_000_000])
def test_silver_beside_a_plain_append(rows: int, tmp_path: Path) -> None:
    with connect.session() as spark:
        with own_sales() as problem:
            measured(spark, problem, WARM_UP, tmp_path / "warm-up")
        with own_sales() as problem:
            ours = measured(spark, problem, rows, tmp_path)
            files = copy_files(names.bronze_files(problem.source_name), tmp_path / "bronze", "record == 'row'")
    before = str(tmp_path / "before" / "*.parquet")
    others = {}
    for way in (duckdb_way, polars_way):
        folder = tmp_path / way.__name__
        folder.mkdir()
        others[way] = apart(way.refine, problem, files, before, folder)
    silver = ours.silver["all"]
    ratio, ratio_told = (silver / (sum(each) / len(each)) for each in (ours.plain, ours.told))
    reached = "reached" if ratio <= GOAL else "not reached"
    report.write(
        f"growth-silver-{rows // 1_000_000}m",
        f"{rows:,} rows into silver",
        {
            "rows": f"{rows:,}, of which a hundredth breaks the contract, a hundredth repeats a key, and a tenth meets"
            f" one of {rows // 10:,} rows that silver holds",
            "plain cast-and-append, before and after": " and ".join(f"{seconds:.1f} s" for seconds in ours.plain),
            "the same with key, positions and origin": " and ".join(f"{seconds:.1f} s" for seconds in ours.told),
            "**silver: cast, judge, quarantine, deduplicate, merge**": f"**{silver:.1f} s**",
            "**ratio to the plain append**": f"**{ratio:.2f}** (goal ≤ {GOAL}, {reached})",
            "ratio to the one that tells as much": f"{ratio_told:.2f}",
            **{f"· {what}": f"{seconds:.1f} s" for what, seconds in ours.silver.items() if what != "all"},
            "the check that follows": f"{ours.check:.1f} s",
            **{
                f"{name}, the same rows of Parquet to Parquet": f"{done.seconds:.1f} s, {done.peak_mib:,.0f} MiB;"
                f" ours takes {silver / done.seconds:.1f} times as long"
                for name, done in (("DuckDB", others[duckdb_way]), ("Polars", others[polars_way]))
            },
        },
        how=(
            f"Generated rows in bronze, on the object store, and a Spark server with two cores that has done the same "
            f"with {WARM_UP:,} rows before. The plain append casts the same fields in the same Spark and appends them "
            "to a table: nothing is judged, nothing merged. A second one also writes what silver tells of each row. "
            "DuckDB and Polars judge by the same contract, keep one row a key, and write quarantine and the whole new "
            "silver as Parquet on the local disk: no branch, no history, no second reader."
        ),
    )
    assert {others[way].answer for way in others} == {ours.counts}, "all must do the same work"
    assert ratio <= GOAL


def measured(spark: SparkSession, problem: Problem, rows: int, folder: Path) -> Measured:
    """Take a batch into a silver that holds a tenth as many rows, which are copied to the folder before."""
    silver, bronze = names.silver(problem.source_name), names.bronze_files(problem.source_name)
    settle(spark, problem, sales(spark, rows // 10, key="id", batch=0))
    copy_files(silver, folder / "before")
    seen = lake.head(bronze)
    assert seen is not None
    after, until = seen.snapshot_id, land(problem, sales(spark, rows, key=KEY, batch=1))
    plain, told = ([plain_seconds(spark, problem, after=after, until=until, told=tells)] for tells in (False, True))
    with phases(problem.source_name) as phase:
        transformed = transform_data(spark, problem, attempt="bench", run_id="bench")
    with phases(problem.source_name) as check:
        check_silver_data(spark, problem, transformed)
    # Once before and once after: a machine that others use is not always as fast.
    plain.append(plain_seconds(spark, problem, after=after, until=until, told=False))
    told.append(plain_seconds(spark, problem, after=after, until=until, told=True))
    counts = lake.count(silver), lake.count(names.quarantine(problem.source_name))
    return Measured(phase, check["all"], plain, told, counts)


def plain_seconds(spark: SparkSession, problem: Problem, *, after: int, until: int, told: bool) -> float:
    """Seconds of a plain append, to a table that is gone afterwards."""
    table = f"silver.plain_{uuid.uuid4().hex[:8]}"
    try:
        began = time.perf_counter()
        plain_append(spark, problem, after=after, until=until, table=table, told=told)
        return time.perf_counter() - began
    finally:
        lake.drop_table(table)
