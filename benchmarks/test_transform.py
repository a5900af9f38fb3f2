"""45,000 loan rows from file to published gold: in Airflow, the same steps in one process, and DuckDB for scale."""

import csv
import io
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from benchmarks import report
from millrace.adapters import connect, object_store
from millrace.adapters.airflow_api import AirflowApi, Run
from millrace.contract import names
from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.orchestration.attempts import Attempt
from millrace.settings import ROOT
from millrace.simulation.files import simulate_file
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.check_gold_data import check_gold_data
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data
from millrace.steps.publish_gold_data import publish_gold_data
from millrace.steps.transform_data import transform_data

ROWS = 45_000
LIMIT_SECONDS = 90
PATIENCE_SECONDS = 400
REAL_FILE = ROOT.parent / "shared" / "data" / "loan_data.csv"


def loan_rows() -> tuple[str, bytes]:
    """The real file where it is there, under keys that no run used before; otherwise simulated rows."""
    loan = load_problem(ROOT / "include" / "problems" / "loan.yaml")
    first = int(time.time()) % 2_000 * ROWS
    if not REAL_FILE.exists():
        return "simulated", simulate_file(loan, rows=ROWS, seed=first, first_row=first).content
    rows = csv.DictReader(io.StringIO(REAL_FILE.read_text(encoding="utf-8")))
    told = io.StringIO()
    writer = csv.DictWriter(told, ["application_id", *(rows.fieldnames or [])])
    writer.writeheader()
    writer.writerows({"application_id": f"A{first + number:08d}", **row} for number, row in enumerate(rows))
    return "real", told.getvalue().encode()


def land(problem: Problem, content: bytes) -> datetime:
    landed = datetime.now(UTC)
    object_store.put_landing(f"{problem.landing_prefix}bench-{uuid.uuid4().hex[:8]}.csv", content)
    return landed


def in_airflow(problem: Problem, content: bytes) -> tuple[float, dict[str, float]]:
    """Seconds from landing to gold, and the wall time of each task on the way."""
    api, landed = AirflowApi(), land(problem, content)
    gold = _finished(api, problem, "transform", landed, "publish_gold_data")
    ingested = _finished(api, problem, "ingest_files", landed, "quality_check_raw_data")
    taken: dict[str, float] = {}
    ends = []
    for run in (ingested, gold):
        for task in api.tasks(run):
            if task.task_id != "load_warehouse" and task.start and task.end:
                taken[task.task_id] = (task.end - task.start).total_seconds()
                ends.append(task.end)
    return (max(ends) - landed).total_seconds(), taken


def _finished(api: AirflowApi, problem: Problem, stage: str, since: datetime, last: str) -> Run:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        for run in api.runs_since(names.dag_id(problem.problem, stage), since):
            states = {task.task_id: task.state for task in api.tasks(run)}
            assert "failed" not in states.values(), states
            if states.get(last) == "success":
                return run
        time.sleep(0.5)
    pytest.fail(f"{stage} did not reach {last} within {PATIENCE_SECONDS} s")


def in_one_process(problem: Problem, content: bytes) -> float:
    """Seconds of the same steps, called one after the other, without Airflow."""
    land(problem, content)
    attempt = Attempt(run_id="bench", attempt=uuid.uuid4().hex)
    with connect.session() as spark:
        began = time.perf_counter()
        check_raw_data(problem, ingest_raw_data(problem, **attempt))
        check_silver_data(spark, problem, transform_data(spark, problem, **attempt))
        built = build_gold_data(spark, problem, **attempt)
        check_gold_data(spark, problem, built)
        publish_gold_data(problem, built)
        return time.perf_counter() - began


def in_duckdb(problem: Problem, content: bytes, folder: Path) -> float:
    """Seconds for DuckDB to read, cast, check the ranges, deduplicate and write Parquet."""
    (folder / "loan.csv").write_bytes(content)
    ranges = " AND ".join(
        f'try_cast("{name}" AS DOUBLE) BETWEEN {column.min} AND {column.max}'
        for name, column in problem.columns().items()
        if column.min is not None and column.max is not None
    )
    began = time.perf_counter()
    duckdb.sql(
        f"COPY (SELECT DISTINCT ON (application_id) * FROM read_csv('{folder}/loan.csv', all_varchar=true) "
        f"WHERE {ranges}) TO '{folder}/gold.parquet' (FORMAT parquet)"
    )
    return time.perf_counter() - began


@pytest.mark.bench
@pytest.mark.stack
def test_file_to_gold(tmp_path: Path) -> None:
    loan = load_problem(ROOT / "include" / "problems" / "loan.yaml")
    kind, content = loan_rows()
    mark = uuid.uuid4().hex[:6]
    text = (ROOT / "include" / "problems" / "loan.yaml").read_text(encoding="utf-8")
    text = text.replace("problem: loan", f"problem: bench_{mark}").replace("loan_applications:", f"bench_{mark}_rows:")
    (tmp_path / f"bench_{mark}.yaml").write_text(text, encoding="utf-8")
    beside = load_problem(tmp_path / f"bench_{mark}.yaml")

    alone = in_one_process(beside, content)
    wall, tasks = in_airflow(loan, content)
    duck = in_duckdb(loan, content, tmp_path)
    report.write(
        "transform",
        "45,000 loan rows, file to published gold",
        {
            "rows": f"{ROWS:,} ({kind})",
            "in Airflow, from the file's landing": f"{wall:.1f} s (goal {LIMIT_SECONDS} s)",
            "the same steps in one process": f"{alone:.1f} s",
            "Airflow's share (waiting, processes, imports)": f"{1 - alone / wall:.0%}",
            "slowest tasks": ", ".join(f"{t} {s:.1f} s" for t, s in sorted(tasks.items(), key=lambda i: -i[1])[:3]),
            "DuckDB: read, cast, check, deduplicate, write": f"{duck:.2f} s, {wall / duck:.0f} × less",
        },
        how=(
            "The warm path on the running stack: bronze, quarantine, silver and gold each written to a branch of "
            "Iceberg, judged by Great Expectations and published. DuckDB does the bare work on a local file, for scale."
        ),
    )
    assert wall <= LIMIT_SECONDS
