"""The Spark server dies in the middle of writing silver."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from millrace.adapters import supervised
from millrace.contract.problem import Problem
from millrace.drills.gate import Gate, behind_gate, closed_gate
from spark_jobs import fenced_write
from tests.dags.running import run_stage
from tests.faults.conftest import Undisturbed
from tests.tables import fingerprints

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
GATE = 4_101


def test_a_killed_spark_server_leaves_what_an_undisturbed_run_leaves(
    second_in_bronze: Problem, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closed_gate(GATE) as gate, ThreadPoolExecutor(1) as pool:
        once_gated(monkeypatch)
        kill = pool.submit(kill_spark_at, gate)
        # In this thread: Airflow sets signal handlers around a task.
        finished = run_stage(second_in_bronze, "transform")
        killed = kill.result()
    assert finished.state == "success", finished.tasks
    assert finished.tries["transform_data"] > 1
    assert supervised.pid("spark") != killed
    assert fingerprints(second_in_bronze) == undisturbed.fingerprints[1]


def kill_spark_at(gate: Gate) -> int:
    """Kill the server while a write stands before the gate; returns its process id."""
    gate.await_arrival()
    pid = supervised.pid("spark")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    gate.open()
    return pid


def once_gated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next merge into silver stops before the gate; later ones pass."""
    merge = fenced_write.merge

    def once(*arguments: Any, **more: Any) -> None:
        monkeypatch.setattr(fenced_write, "merge", merge)
        behind_gate(merge, GATE)(*arguments, **more)

    monkeypatch.setattr(fenced_write, "merge", once)
