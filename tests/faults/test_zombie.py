"""An attempt that was given up lives on inside the Spark server, and comes back after its retry has published."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import ROOT
from millrace.steps.sweep_branches import sweep_branches
from tests.dags.running import run_stage
from tests.faults.conftest import Undisturbed
from tests.faults.gate import Gate, closed_gate
from tests.tables import fingerprints

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
GATE = 4_102


@pytest.mark.parametrize("files", [1, 2], ids=["appending", "merging"])
def test_a_zombie_changes_nothing(files: int, undisturbed: Undisturbed, request: pytest.FixtureRequest) -> None:
    problem: Problem = request.getfixturevalue({1: "first_in_bronze", 2: "second_in_bronze"}[files])
    silver, expected = names.silver(problem.source_name), undisturbed.fingerprints[files - 1]
    with closed_gate(GATE + files) as gate, zombie_of(problem, gate) as zombie:
        gate.await_arrival()
        retry = run_stage(problem, "transform")
        assert retry.state == "success", retry.tasks
        swept = sweep_branches([problem], older_than_seconds=-1)
        assert [branch for branch in swept if branch.startswith(silver) and branch.endswith("zombie")]
        assert fingerprints(problem) == expected
        published = lake.head(silver)
        assert gate.waiting(), "the zombie must still be writing"
        gate.open()
        output, _ = zombie.communicate(timeout=300)
    outcome = json.loads(output.splitlines()[-1])
    assert "refused" in outcome, outcome
    assert lake.head(silver) == published
    assert fingerprints(problem) == expected
    sweep_branches([problem], older_than_seconds=-1)
    assert lake.stray_branches(silver, older_than_seconds=-1) == []


@contextmanager
def zombie_of(problem: Problem, gate: Gate) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.faults.zombie", problem.problem, str(gate.number)]
    zombie = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield zombie
    finally:
        zombie.kill()
