"""A stack is lost, and made anew from its backup: the same answers, the same tables, and the next file goes its way."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from infra.backup.backup import back_up
from infra.progress import Board
from millrace.adapters import fleet, lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import ROOT, get_settings
from tests import own_stack
from tests.awaiting import await_that
from tests.dags.running import run_stage
from tests.faults.conftest import taken_in
from tests.faults.restored import predictions
from tests.tables import fingerprints, simulated
from tests.throwaway import problem_like

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_200)]
# Beside the development stack (0), the small one (700) and the tests' own (10,000).
PORT_OFFSET = 11_400
ASKED = 200


def test_a_restored_stack_answers_the_same(tmp_path: Path) -> None:
    with problem_like("diabetes") as problem:
        taken_in(problem, simulated(problem, rows=1_200).content)
        for stage in ("train", "deploy"):
            run = run_stage(problem, stage)
            assert run.state == "success", run.tasks
        url = fleet.replicas()[0]
        await_that("it serves", lambda: fleet.serves(url, problem.problem).version, seconds=60)
        asked = rows_of(problem)
        before = {"predictions": predictions(url, problem, asked), "fingerprints": fingerprints(problem)}
        back_up(get_settings(), tmp_path / "backup", Board(Console(quiet=True), None))
        later = simulated(problem, rows=300, seed=2, first_row=1_200)
        (tmp_path / "later.csv").write_bytes(later.content)
        facts = {
            "backup": str(tmp_path / "backup"),
            "problem": problem.problem,
            "rows": asked,
            "next_file": str(tmp_path / "later.csv"),
        }
        restored = in_another_stack(facts, tmp_path)
        assert {name: restored[name] for name in before} == before
        assert set(restored["pending"].values()) == {None}
        # The next file is taken in alone, and comes to the same as where nothing was lost.
        assert restored["rows_read"] == later.rows
        assert restored["fingerprints_after"] == taken_in(problem, later.content)


def rows_of(problem: Problem) -> list[dict[str, Any]]:
    """Rows to ask about, as gold holds them."""
    columns = tuple(problem.request_columns())
    rows: list[dict[str, Any]] = lake.read(names.gold(problem.problem), columns=columns).slice(0, ASKED).to_pylist()
    return rows


def in_another_stack(facts: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a stack made from the backup tells, in a folder and with passwords and ports of its own."""
    home = ROOT / own_stack.HOME / "restored"
    home.mkdir(parents=True, exist_ok=True)
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    environment = {
        "MILLRACE_HOME": str(home),
        "MILLRACE_ENV_FILE": str(home / ".env"),
        "MILLRACE_PORT_OFFSET": str(PORT_OFFSET),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.restored", str(folder / "facts.json")],
        check=False,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
