"""A batch that breaks its limits is never seen by anyone who reads gold or the warehouse."""

from collections.abc import Iterator

import httpx
import pytest

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.drills.reader import LAYERS, a_reader
from millrace.steps.pending import pending_transform
from tests.dags.running import run_stage
from tests.tables import fingerprints, land_simulated
from tests.throwaway import problem_like

pytestmark = pytest.mark.stack
FIRST_BAD_ROW = 10_000


@pytest.fixture
def problem() -> Iterator[Problem]:
    """A problem that serves a good batch."""
    with problem_like("diabetes") as problem:
        land_simulated(problem, rows=400)
        for stage in ("ingest_files", "transform"):
            assert run_stage(problem, stage).state == "success"
        yield problem


def test_a_bad_batch_never_becomes_visible(problem: Problem) -> None:
    before = fingerprints(problem)
    share = 2 * problem.source.quality.max_quarantined_share
    bad = land_simulated(problem, rows=400, first_row=FIRST_BAD_ROW, broken_share=share)
    with a_reader(problem) as seen:
        assert run_stage(problem, "ingest_files").state == "success"
        refused = run_stage(problem, "transform")
    assert refused.state == "failed"
    assert refused.tasks["quality_check_silver_data"] == "failed"
    assert refused.tries["quality_check_silver_data"] == 1, "a verdict is not tried again"
    assert refused.assets == []
    assert all(seen.contents[layer] and not seen.unanswered[layer] for layer in LAYERS), "he looked, and was answered"
    assert seen.others_than([before]) == 0
    after = fingerprints(problem)
    assert {layer for layer in before if after[layer] != before[layer]} == {"bronze", "quarantine"}
    rows = lake.read(names.quarantine(problem.source_name), columns=("path",))["path"].to_pylist()
    assert sum(f"{FIRST_BAD_ROW:08d}" in path for path in rows) == bad.quarantined_rows
    assert pending_transform(problem), "what is not decided stays visible"
    page = httpx.get(refused.results["run_report"]["report"]).raise_for_status().text
    assert "Why it was refused" in page
    assert page.count("batch:max_quarantined_share") >= 2, "in the verdict and among the checks"
    assert f"<b>{bad.quarantined_rows}</b> quarantined" in page
    assert f"<b>{bad.valid_rows - bad.superseded_rows}</b> valid, and not published" in page
