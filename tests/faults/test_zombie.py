"""An attempt that was given up lives on inside the Spark server, and comes back after its retry has published."""

import pytest

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.drills.gate import closed_gate
from millrace.drills.zombie import what_became_of, zombie_of
from millrace.steps.sweep_branches import sweep_branches
from tests.dags.running import run_stage
from tests.faults.conftest import Undisturbed
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
        outcome = what_became_of(zombie)
    assert "refused" in outcome, outcome
    assert lake.head(silver) == published
    assert fingerprints(problem) == expected
    sweep_branches([problem], older_than_seconds=-1)
    assert lake.stray_branches(silver, older_than_seconds=-1) == []
