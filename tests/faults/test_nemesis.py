"""Kills at random times, at random targets, while files keep landing: the tables end as if nothing had been.

`make nemesis N=100` plays a hundred rounds and writes docs/reports/nemesis.md; `make test-faults` plays a few.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from millrace.adapters import lake, supervised
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import ROOT
from tests import own_stack
from tests.faults.conftest import nothing_pending
from tests.faults.strikes import RIVAL, WORKER, Round, Strike, draw
from tests.tables import fingerprints, land, simulated
from tests.throwaway import problem_like, twin_of

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]
REPORT = ROOT / "docs" / "reports" / "nemesis.md"
LOG = ROOT / own_stack.HOME / "logs" / "nemesis.log"
ROUND_SECONDS = 600
"""A round that has not ended by then hangs, which is a divergence."""


@dataclass
class Played:
    """What came of the rounds."""

    rounds: int = 0
    strikes: dict[str, int] = field(default_factory=dict)
    diverged: list[str] = field(default_factory=list)


def test_random_kills_change_nothing(pytestconfig: pytest.Config) -> None:
    rounds, first_seed = pytestconfig.getoption("rounds"), pytestconfig.getoption("first_seed")
    played, began = Played(), time.monotonic()
    with problem_like("diabetes") as model:
        files = [simulated(model, rows=400, seed=n, first_row=300 * n).content for n in range(2)]
        with twin_of(model) as calm:
            work_seconds = play(calm, files, Round(0.0, ()))
            expected = contents(calm)
        for seed in range(first_seed, first_seed + rounds):
            round_ = draw(seed, work_seconds=work_seconds)
            with twin_of(model) as problem, forgotten(problem):
                try:
                    seconds = play(problem, files, round_)
                    found = contents(problem)
                    other = [layer for layer in expected if found[layer] != expected[layer]]
                    outcome = f"other content: {', '.join(other)}" if other else "as undisturbed"
                except TimeoutError as error:
                    seconds, outcome = ROUND_SECONDS, str(error)
            played.rounds += 1
            for strike in round_.strikes:
                played.strikes[strike.target] = played.strikes.get(strike.target, 0) + 1
            if outcome != "as undisturbed":
                played.diverged.append(f"seed {seed}: {outcome} ({round_})")
            print(f"round {played.rounds}/{rounds}, seed {seed}: {round_}: {outcome} ({seconds:.0f} s)", flush=True)
            if rounds >= FEWEST_REPORTED:
                write_report(played, work_seconds, time.monotonic() - began)
    assert not played.diverged, "\n".join(played.diverged)


def play(problem: Problem, files: list[bytes], round_: Round) -> float:
    """Take two files to the warehouse while the strikes of a round fall; returns the seconds it took.

    Raises:
        TimeoutError: If something is still pending after ROUND_SECONDS.
    """
    begun = time.monotonic()
    todo: list[Strike] = [*round_.strikes, Strike(round_.second_file_at_seconds, "second file")]
    todo.sort(key=lambda strike: strike.at_seconds)
    land(problem, "file-0", files[0])
    with Workers(problem) as workers:
        while True:
            elapsed = time.monotonic() - begun
            while todo and todo[0].at_seconds <= elapsed:
                strike = todo.pop(0)
                if strike.target == "second file":
                    land_in_spite(problem, files[1])
                else:
                    workers.struck(strike.target)
            if not todo and not workers.living() and nothing_pending(problem):
                return time.monotonic() - begun
            if not workers.living():
                workers.start()
            if elapsed > ROUND_SECONDS:
                raise TimeoutError(f"not at its end after {ROUND_SECONDS} s, see {LOG.relative_to(ROOT)}")
            time.sleep(0.05)  # the strikes have times of their own; nothing is waited for here


class Workers:
    """The processes at work on a problem: one, and now and then a rival."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Workers":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.faults.worker", self.problem.problem]
        with LOG.open("ab") as log:
            self.processes.append(subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log))

    def living(self) -> bool:
        self.processes = [process for process in self.processes if process.poll() is None]
        return bool(self.processes)

    def struck(self, target: str) -> None:
        if target == RIVAL:
            self.start()
        elif target == WORKER:
            for process in self.processes[:1]:
                process.kill()
        elif (pid := supervised.pid(target)) is not None:
            os.kill(pid, signal.SIGKILL)


def land_in_spite(problem: Problem, content: bytes) -> None:
    """Land a file; while the object store is down, whoever sends it tries again."""
    Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)(land, problem, "file-1", content)


def contents(problem: Problem) -> dict[str, str]:
    """What the tables hold, without the numbers that tell in how many batches it came: that is for chance to say."""
    return fingerprints(problem, numbered=False)


@contextmanager
def forgotten(problem: Problem) -> Iterator[None]:
    """Drop a problem's tables afterwards, or a hundred rounds would fill the catalog."""
    try:
        yield
    finally:
        source = problem.source_name
        for table in (names.bronze_files(source), names.silver(source), names.quarantine(source)):
            lake.drop_table(table)
        lake.drop_table(names.gold(problem.problem))


FEWEST_REPORTED = 50
"""Fewer rounds say too little to be kept."""


def write_report(played: Played, work_seconds: float, seconds: float) -> None:
    # Of n rounds without a divergence: the share p that n rounds would show at least once in 19 of 20 tries.
    bound = 1 - 0.05 ** (1 / played.rounds)
    found = played.diverged or ["none"]
    page = [
        "# Nemesis: random kills while files land",
        "",
        "Each round lands two files, the second while the first is at work, and strikes one to three times at random",
        f"moments of the {work_seconds:.0f} s that the work takes undisturbed: `kill -9` of the worker that runs the",
        "steps, of the Spark server, of Postgres (catalog and warehouse) or of the object store; or a second worker",
        "starts beside it. A round ends when nothing is pending. Bronze, silver, quarantine, gold and warehouse must",
        "then hold, to the last value, what they hold after an undisturbed run. Written by `make nemesis N=<rounds>`.",
        "",
        "| | |",
        "|---|---|",
        f"| rounds | {played.rounds} |",
        *(f"| · {target} | {count} times |" for target, count in sorted(played.strikes.items())),
        f"| **divergences** | **{len(played.diverged)}** |",
    ]
    if not played.diverged:
        page.append(f"| so a round diverges, at 95 % confidence, in less than | {bound:.1%} of all rounds |")
    page += ["", "Divergences: " + "; ".join(found) + ".", ""]
    page += [f"Written on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {seconds / 60:.0f} min."]
    REPORT.write_text("\n".join(page) + "\n", encoding="utf-8")
