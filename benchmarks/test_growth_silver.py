"""Bronze to silver (cast, judge, quarantine, deduplicate, merge) beside a plain cast-and-append in the same Spark."""

import time
import uuid
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
KEY = "IF(id % 100 = 7, id - 1, id)"
"""Of a hundred rows one says the key of its neighbour again."""


@pytest.mark.parametrize("rows", [1_000_000, 10_000_000])
def test_silver_beside_a_plain_append(rows: int, tmp_path: Path) -> None:
    with connect.session() as spark, own_sales() as problem:
        silver = names.silver(problem.source_name)
        settle(spark, problem, sales(spark, rows // 10, key="id", batch=0))
        before = copy_files(silver, tmp_path / "before")
        seen = lake.head(names.bronze_files(problem.source_name))
        assert seen is not None
        bronze = land(problem, sales(spark, rows, key=KEY, batch=1))
        plain = [plain_seconds(spark, problem, after=seen.snapshot_id, until=bronze)]
        with phases(problem.source_name) as told:
            transformed = transform_data(spark, problem, attempt="bench", run_id="bench")
        with phases(problem.source_name) as checked:
            check_silver_data(spark, problem, transformed)
        # Once before and once after: a machine that others use is not always as fast.
        plain.append(plain_seconds(spark, problem, after=seen.snapshot_id, until=bronze))
        files = copy_files(names.bronze_files(problem.source_name), tmp_path / "bronze", "record == 'row'")
        ours = lake.count(silver), lake.count(names.quarantine(problem.source_name))
    others = {}
    for way in (duckdb_way, polars_way):
        folder = tmp_path / way.__name__
        folder.mkdir()
        others[way] = apart(way.refine, problem, files, before, folder)
    ratio = told["all"] / (sum(plain) / 2)
    report.write(
        f"growth-silver-{rows // 1_000_000}m",
        f"{rows:,} rows into silver",
        {
            "rows": f"{rows:,}, of which a hundredth breaks the contract, a hundredth repeats a key, and a tenth meets"
            f" one of {rows // 10:,} rows that silver holds",
            "plain cast-and-append, before and after": " and ".join(f"{seconds:.1f} s" for seconds in plain),
            "**silver: cast, judge, quarantine, deduplicate, merge**": f"**{told['all']:.1f} s**",
            "**ratio**": f"**{ratio:.2f}** (goal ≤ {GOAL})",
            **{f"· {what}": f"{seconds:.1f} s" for what, seconds in told.items() if what != "all"},
            "the check that follows": f"{checked['all']:.1f} s",
            **{
                f"{name}, the same rows of Parquet to Parquet": f"{done.seconds:.1f} s, {done.peak_mib:,.0f} MiB;"
                f" ours takes {told['all'] / done.seconds:.1f} times as long"
                for name, done in (("DuckDB", others[duckdb_way]), ("Polars", others[polars_way]))
            },
        },
        how=(
            "Generated rows in bronze, on the object store, and a warm Spark server with two cores. The plain append "
            "casts the same fields in the same Spark and appends them to a table: nothing is judged, nothing merged. "
            "DuckDB and Polars judge by the same contract, keep one row a key, and write quarantine and the whole new "
            "silver as Parquet on the local disk: no branch, no history, no second reader."
        ),
    )
    assert {others[way].answer for way in others} == {ours}, "all must do the same work"
    assert ratio <= GOAL


def plain_seconds(spark: SparkSession, problem: Problem, *, after: int, until: int) -> float:
    """Seconds of a plain append, to a table that is gone afterwards."""
    table = f"silver.plain_{uuid.uuid4().hex[:8]}"
    try:
        began = time.perf_counter()
        plain_append(spark, problem, after=after, until=until, table=table)
        return time.perf_counter() - began
    finally:
        lake.drop_table(table)
