"""The way of two files through an undisturbed run, and a problem that has the first of them behind it."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps.pending import PENDING
from tests.dags.running import run_stage
from tests.faults import sales
from tests.faults.report import Line, write_report
from tests.tables import fingerprints, land, simulated
from tests.throwaway import problem_like, twin_of

Told = Callable[..., None]


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
def calm() -> sales.Calm:
    """What the tables of `sales` hold after an undisturbed way of one file, and of both."""
    with sales.sales() as problem:
        sales.take_in(problem, 0)
        first = fingerprints(problem)
        sales.take_in(problem, 1)
        return first, fingerprints(problem)


@pytest.fixture(scope="session")
def told() -> Iterator[Told]:
    """`told(fault, found, seconds=None)` puts a line into the report when the session ends."""
    lines: list[Line] = []

    def tell(fault: str, found: str, seconds: float | None = None) -> None:
        lines.append(Line(fault, found, seconds))

    yield tell
    if lines:
        write_report(lines)


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
