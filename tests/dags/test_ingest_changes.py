"""Stage 2 of one problem, run to its end on the real stack: what waits in the topic, and what waits no more."""

import json
from collections.abc import Iterator

import pytest

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.backlog import Backlog
from millrace.steps import change_backlog
from millrace.steps.pending import pending_ingest_changes
from millrace.steps.resnapshot import give_up_offsets
from tests.application import unfollowed_afterwards
from tests.dags.running import run_stage
from tests.steps.transforming import problem_named
from tests.topics import Sender, made_anew, own_topic, rows

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def problem() -> Iterator[Problem]:
    """Its file is there while the tests run, so that the DAG is; its topic is fed by hand."""
    content = problem_named("dag_changes").model_dump(mode="json", exclude_defaults=True)
    [source] = content["sources"].values()
    source["changes"] = {"rows": 1}
    with unfollowed_afterwards(content) as problem:
        yield problem


@pytest.fixture(scope="module")
def sender(problem: Problem) -> Iterator[Sender]:
    with own_topic(problem) as sender:
        yield sender


def test_what_waits_becomes_rows_of_bronze_and_wakes_transform(problem: Problem, sender: Sender) -> None:
    sender.send(*rows("k", 3))
    run = run_stage(problem, "ingest_changes")
    assert run.state == "success", run.tasks
    assert run.results["wait_for_changes"] >= 3
    assert run.assets == [names.bronze_asset(problem.source_name)]
    found = lake.read(names.bronze_changes(problem.source_name), columns=("key", "run_id")).to_pylist()
    assert sorted(json.loads(one["key"])["id"] for one in found) == ["k0", "k1", "k2"]
    assert {one["run_id"] for one in found} == {run.run_id}

    again = run_stage(problem, "ingest_changes")
    assert (again.state, again.assets) == ("success", [])
    assert (again.tasks["wait_for_changes"], again.tasks["ingest_changes"]) == ("skipped", "skipped")


def test_a_run_by_hand_waits_deferred_until_the_backlog_fires(
    problem: Problem, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = change_backlog.backlog, []

    def while_it_waits(of: Problem, topic: str) -> Backlog:
        """Only the trigger asks for the backlog: when it has seen that nothing waits, something comes."""
        looks.append(look(of, topic))
        if len(looks) == 1:
            sender.send(*rows("late", 2))
        return looks[-1]

    monkeypatch.setattr(change_backlog, "backlog", while_it_waits)
    run = run_stage(problem, "ingest_changes", wait=True)
    assert run.state == "success", run.tasks
    assert [one.rows for one in looks[:1]] == [0]
    assert lake.count(names.bronze_changes(problem.source_name)) == 5


def test_a_topic_that_was_made_anew_fails_the_run_at_once_and_is_pending_until_someone_decides(
    problem: Problem, sender: Sender
) -> None:
    sender.send(*rows("seen", 2))
    run_stage(problem, "ingest_changes")
    made_anew(sender.topic)
    assert "another one than bronze took in" in str(pending_ingest_changes(problem))
    run = run_stage(problem, "ingest_changes")
    # Not to be tried again: a verdict.
    assert (run.state, run.tasks["wait_for_changes"], run.tries["wait_for_changes"]) == ("failed", "failed", 1)
    assert give_up_offsets(problem)
    Sender(problem).send(*rows("new", 1))
    assert run_stage(problem, "ingest_changes").state == "success"
    assert pending_ingest_changes(problem) is None
