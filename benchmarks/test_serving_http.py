"""One replica under load, beside a route of the same server that does nothing: interleaved pairs, told as ratios.

The goals of a single row: 80 % of the other's requests a second, three times its p99. What the machine does besides
moves both of a pair; the server's own CPU time a request moves least.
"""

import json
import shutil
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.loading import Load, Server, load, server
from benchmarks.serving_apps import PACKAGE
from benchmarks.test_single_row import LOAN, MODELS, files_of, microseconds, scorer_of
from millrace.domain.golden import synthetic_rows

PAIRS = 5
SECONDS = 2
CONNECTIONS = 8
ROWS = 1_000
REQUESTS = 1_000_000
MOST_MIB = 250
MOST_GROWTH_MIB = 10
PATH = "/v1/models/loan/predict"
MODEL = "150 trees of depth 3"


@dataclass(frozen=True)
class Case:
    """A route that is loaded, and how many rows a request holds."""

    words: str
    path: str
    body: Path
    rows: int


@pytest.fixture(scope="module")
def row() -> dict[str, Any]:
    spread = {
        name: {"edges": [column.min or 0.0, column.max or 100.0], "levels": {"a": 1}}
        for name, column in LOAN.request_columns().items()
    }
    drawn = synthetic_rows(LOAN, {"columns": spread}, count=1, seed=5)[0]
    # A person's row, of which the model decides: an override would answer without it.
    return dict(drawn) | {"person_age": 31, "person_emp_exp": 6, "previous_loan_defaults_on_file": "No"}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory, row: dict[str, Any]) -> list[Case]:
    folder = tmp_path_factory.mktemp("bodies")
    one, many = folder / "one.json", folder / "many.json"
    one.write_text(json.dumps(row))
    many.write_text(json.dumps({"rows": [row | {"person_income": 20_000 + n} for n in range(ROWS)]}))
    return [
        Case("one row", f"{PATH}?explain=false", one, 1),
        Case("one row with factors", PATH, one, 1),
        Case("1,000 rows", f"{PATH}/batch?explain=false", many, ROWS),
        Case("1,000 rows with factors", f"{PATH}/batch", many, ROWS),
    ]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """The one that does nothing, and the replica."""
    folder, package = tmp_path_factory.mktemp("logs"), tmp_path_factory.mktemp("package")
    for name, content in files_of(MODELS[MODEL]).items():
        (package / name).write_bytes(content)
    around = {PACKAGE: str(package), "MILLRACE_HOME": str(folder), "MILLRACE_REPLICA": "bench"}
    with server("nothing", folder) as nothing, server("replica", folder, **around) as replica:
        yield nothing, replica


@pytest.mark.bench
@pytest.mark.timeout(3_000)
@pytest.mark.skipif(shutil.which("wrk") is None, reason="no wrk here: `apt-get install wrk`, then this measures")
def test_one_replica(servers: tuple[Server, Server], cases: list[Case], row: dict[str, Any]) -> None:
    nothing, replica = servers
    found = {
        "machine": f"wrk with {CONNECTIONS} connections; {PAIRS} pairs of {SECONDS} s, the replica beside the no-op"
    }
    for case in cases:
        pairs = [_pair(nothing, replica, case) for _ in range(PAIRS)]
        assert all(one.failed == 0 for pair in pairs for one in pair), f"{case.words}: requests failed"
        found |= _told(case, pairs)
    found |= _in_process(row)
    found |= _memory(replica, cases[0])
    report.write(
        "serving",
        f"One serving replica: loan, {MODEL}",
        found,
        how="One process of uvicorn answers from a package in memory, with validation, warnings, figures, a line of log"
        " and a write to the spool for each request; the database behind the spool takes everything at once. Beside it"
        " the same server with a route that reads the body and answers a constant. The two and wrk share two cores, so"
        " ratios of neighbouring runs are told, as median (lowest to highest).",
    )


def _pair(nothing: Server, replica: Server, case: Case) -> tuple[Load, Load]:
    return (
        load(nothing, "/nothing", case.body, seconds=SECONDS, connections=CONNECTIONS),
        load(replica, case.path, case.body, seconds=SECONDS, connections=CONNECTIONS),
    )


def _told(case: Case, pairs: list[tuple[Load, Load]]) -> dict[str, str]:
    rate = statistics.median(ours.per_second for _, ours in pairs)
    p50, p99 = (statistics.median(getattr(ours, name) for _, ours in pairs) for name in ("p50", "p99"))
    idle_cpu, cpu = (statistics.median(pair[side].cpu_microseconds for pair in pairs) for side in (0, 1))
    if case.rows > 1:
        goal = "" if "factors" in case.words else " (goal 100,000)"
        return {
            f"**{case.words}: rows a second**": f"**{rate * case.rows:,.0f}**{goal}",
            f"· {case.words}: CPU of the replica a row": f"{cpu / case.rows:.1f} µs",
            f"· {case.words}: p50 and p99 of a request": f"{p50:.1f} ms, {p99:.1f} ms",
        }
    goals = ("", "") if "factors" in case.words else (" (goal ≥ 0.80)", " (goal ≤ 3)")
    rates = [ours.per_second / idle.per_second for idle, ours in pairs]
    return {
        f"**{case.words}: requests a second, to the no-op's**": _ratio(rates) + goals[0],
        f"· {case.words}: p99, to the no-op's": _ratio([ours.p99 / idle.p99 for idle, ours in pairs]) + goals[1],
        f"· {case.words}: requests a second; p50, p99": f"{rate:,.0f}; {p50:.2f} ms, {p99:.2f} ms",
        f"· {case.words}: CPU of the server a request": f"{cpu:.0f} µs; the no-op's {idle_cpu:.0f} µs",
    }


def _ratio(ratios: list[float]) -> str:
    return f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"


def _in_process(row: dict[str, Any]) -> dict[str, str]:
    scorer = scorer_of(MODELS[MODEL])
    answer, factors = microseconds(scorer.probability, row), microseconds(scorer.score, row)
    return {
        "in the process: features, model, calibration": f"p50 {answer[0]:.0f} µs, p99 {answer[1]:.0f} µs (goal 50)",
        "in the process: the same with factors": f"p50 {factors[0]:.0f} µs, p99 {factors[1]:.0f} µs (goal p99 1,000)",
    }


def _memory(replica: Server, case: Case) -> dict[str, str]:
    """After the batches above; then a million requests more."""
    before = replica.process.memory_info().rss / 1024**2
    asked = 0
    while asked < REQUESTS:
        came = load(replica, case.path, case.body, seconds=20, connections=CONNECTIONS)
        assert came.failed == 0
        asked += round(came.per_second * 20)
    after = replica.process.memory_info().rss / 1024**2
    assert after <= MOST_MIB
    assert after - before <= MOST_GROWTH_MIB
    return {
        "memory of the replica": f"{after:.0f} MiB (goal {MOST_MIB})",
        f"· grown over {asked:,} requests": f"{after - before:+.1f} MiB",
    }
