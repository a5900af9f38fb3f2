"""Ten million events of a shop into gold: every aggregation of `purchase`, and the server's memory meanwhile."""

from pathlib import Path

import psutil
import pytest

from benchmarks import duckdb_way, polars_way, report
from benchmarks.apart import apart
from benchmarks.seeding import copy_files, settle
from benchmarks.shop_events import events, own_shop
from benchmarks.timings import phases
from infra.stack import supervisor
from millrace.adapters import connect, lake
from millrace.contract import names
from millrace.settings import get_settings
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.publish_gold_data import publish_gold_data

pytestmark = [pytest.mark.bench, pytest.mark.stack, pytest.mark.timeout(2400)]
EVENTS = 10_000_000
LIMIT_MIB = 3 * 1024
TOLERANCE = 1e-9
"""Sums of decimals and of floating-point numbers differ in their last digits."""


def test_aggregations_over_events(tmp_path: Path) -> None:
    with connect.session() as spark, own_shop() as problem:
        settle(spark, problem, events(spark, EVENTS))
        server = spark_server()
        forget_peak(server)
        with phases(problem.source_name, problem.problem) as told:
            publish_gold_data(problem, build_gold_data(spark, problem, attempt="bench", run_id="bench"))
        peak = peak_mib(server)
        gold = names.gold(problem.problem)
        columns = [*(one.name for one in problem.aggregations), "label"]
        sums = spark.table(gold).selectExpr(*(f"CAST(sum(`{name}`) AS DOUBLE) AS `{name}`" for name in columns))
        ours = lake.count(gold), sums.collect()[0].asDict()
        silver = copy_files(names.silver(problem.source_name), tmp_path / "silver")
    others = {}
    for name, way in (("DuckDB", duckdb_way), ("Polars", polars_way)):
        folder = tmp_path / name
        folder.mkdir()
        others[name] = apart(way.aggregate, problem, silver, folder)
    report.write(
        "growth-events",
        f"{EVENTS:,} events into gold",
        {
            "silver to gold": f"{EVENTS:,} events, {ours[0]:,} rows, {len(problem.aggregations)} aggregations over"
            f" {len({one.key for one in problem.aggregations})} keys, and a label from later events",
            "**Spark, published**": f"**{told['all']:.0f} s**",
            "**peak memory of the Spark server**": f"**{peak:,.0f} MiB** (limit {LIMIT_MIB:,} MiB)",
            **{
                f"{name}, Parquet to Parquet": f"{done.seconds:.0f} s, {done.peak_mib:,.0f} MiB; ours takes"
                f" {told['all'] / done.seconds:.1f} times as long and {peak / done.peak_mib:.2f} of the memory"
                for name, done in others.items()
            },
        },
        how=(
            "Generated events in silver: five a session over sixty days, products visited unevenly. The first gold of "
            "them all, built by a warm Spark server with two cores and a heap of 2 GB, and published; the memory is "
            "the peak of the whole process while it did. DuckDB and Polars compute the same columns in one process, "
            "from the same files on the local disk; their row counts and sums are equal to ours."
        ),
    )
    for name, done in others.items():
        rows, found = done.answer
        assert rows == ours[0], f"{name} must do the same work"
        assert found == pytest.approx(ours[1], rel=TOLERANCE), f"{name} must do the same work"
    assert peak <= LIMIT_MIB


def spark_server() -> psutil.Process:
    """The server's JVM."""
    started = psutil.Process(int(supervisor.states(get_settings())["spark"]["pid"]))
    return next(p for p in (started, *started.children(recursive=True)) if "java" in p.name())


def forget_peak(process: psutil.Process) -> None:
    """Let the kernel count a process's peak memory from now on."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")


def peak_mib(process: psutil.Process) -> float:
    """The most memory that a process has held since `forget_peak`."""
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel tells no peak")
