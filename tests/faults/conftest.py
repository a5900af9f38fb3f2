"""The way of two files through an undisturbed run, and a problem that has the first of them behind it."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import ROOT
from millrace.steps.pending import PENDING
from tests.dags.running import run_stage
from tests.tables import fingerprints, land, simulated
from tests.throwaway import problem_like, twin_of

Told = Callable[[str, float, str], None]
REPORT = ROOT / "docs" / "reports" / "faults.md"
HEAD = (
    "# Faults in the middle of the work",
    "",
    "Each fault strikes a running Airflow while a file of 60,000 rows is on its way. Afterwards bronze, silver,",
    "quarantine, gold and the warehouse must hold, to the last value, what they hold after an undisturbed run.",
    "Written by `make test-faults`; three more kills are part of `make test`.",
    "",
    "| fault | from the fault to the end | found |",
    "|---|---|---|",
)


@dataclass(frozen=True)
class Undisturbed:
    """A problem that took in two files without a fault. The second brings new keys, and other rows of known ones."""

    problem: Problem
    files: tuple[bytes, bytes]
    fingerprints: tuple[dict[str, str], dict[str, str]]
    """After the first file, and after both."""


@pytest.fixture(scope="session")
def undisturbed() -> Iterator[Undisturbed]:
    with problem_like("diabetes", many_trials) as problem:
        first, second = (
            simulated(problem, rows=1_200, seed=number, first_row=900 * number).content for number in range(2)
        )
        fingerprints = taken_in(problem, first), taken_in(problem, second)
        yield Undisturbed(problem, (first, second), fingerprints)


def many_trials(content: dict[str, Any]) -> None:
    """Enough for a search to be killed in the middle, on a fast machine too."""
    content["training"]["trials"] = 48


@pytest.fixture
def first_in_bronze(undisturbed: Undisturbed) -> Iterator[Problem]:
    """A twin that has the first file in bronze, and nothing in silver yet."""
    with twin_of(undisturbed.problem) as problem:
        ingest(problem, undisturbed.files[0])
        yield problem


@pytest.fixture
def second_in_bronze(first_in_bronze: Problem, undisturbed: Undisturbed) -> Problem:
    """A twin that serves the first file, and has the second one in bronze."""
    assert run_stage(first_in_bronze, "transform").state == "success"
    ingest(first_in_bronze, undisturbed.files[1])
    return first_in_bronze


@pytest.fixture(scope="session")
def told() -> Iterator[Told]:
    """`told(fault, seconds, found)` puts a line into the report that is written at the end."""
    lines: list[str] = []

    def tell(fault: str, seconds: float, found: str) -> None:
        lines.append(f"| {fault} | {seconds:.0f} s | {found} |")

    yield tell
    if lines:
        page = [*HEAD, *lines, "", f"Written on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores."]
        REPORT.write_text("\n".join(page) + "\n", encoding="utf-8")


def ingest(problem: Problem, content: bytes) -> None:
    land(problem, hashlib.sha256(content).hexdigest(), content)
    run = run_stage(problem, "ingest_files")
    assert run.state == "success", run.tasks


def taken_in(problem: Problem, content: bytes) -> dict[str, str]:
    """Take a file all the way to the warehouse; returns what the tables hold then."""
    ingest(problem, content)
    run = run_stage(problem, "transform")
    assert run.state == "success", run.tasks
    return fingerprints(problem)


def nothing_pending(problem: Problem) -> bool:
    """Whether the file is in the warehouse. Not answering, because of the fault, is an answer too."""
    try:
        there = lake.table_exists(names.gold(problem.problem))
        return there and not any(PENDING[stage](problem) for stage in ("ingest_files", "transform"))
    except Exception:  # noqa: BLE001 - which error depends on what is down at this moment
        return False
