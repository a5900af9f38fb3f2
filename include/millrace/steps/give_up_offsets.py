"""Offsets that bronze gives up when a person says so: where a topic lost what was to come next, it goes on with what
is there."""

import uuid

from millrace.adapters import lake, topics
from millrace.contract import names
from millrace.contract.errors import LostRaceError
from millrace.contract.problem import Problem
from millrace.domain.change_offsets import BrokenOffsetsError, Resumption, resumed
from millrace.steps.change_backlog import waiting_in
from millrace.steps.changes_table import OFFSETS, RESUMED, SCHEMA, offsets_told, recorded_offsets, resumed_told
from millrace.steps.written import dropped_on_failure

_RACES = 3


def to_give_up(problem: Problem, topic: str) -> tuple[str, ...]:
    """In words, what would be given up; nothing where bronze can go on by itself. Changes nothing."""
    try:
        waiting_in(problem, topic)
    except BrokenOffsetsError:
        return _resumption(problem, topic, lake.MAIN).given_up
    return ()


def give_up(problem: Problem, topic: str) -> tuple[str, ...]:
    """Records in bronze the offsets from which to go on, where it cannot tell so itself; in words what is lost by it.

    Nothing is recorded where nothing is broken: somebody else may have done it, or a topic is as it was.
    """
    table = names.bronze_changes(problem.source_name)
    lake.ensure_table(table, SCHEMA)
    for _ in range(_RACES):
        branch = lake.cut_branch(table, f"resume-{uuid.uuid4().hex}")
        try:
            with dropped_on_failure(branch):
                try:
                    waiting_in(problem, topic, branch.name)
                except BrokenOffsetsError:
                    found = _resumption(problem, topic, branch.name)
                else:
                    lake.drop_branch(branch)
                    return ()
                offsets = offsets_told(topic, found.recorded, recorded_offsets(table, branch.name))
                lake.append_nothing(branch, {OFFSETS: offsets, RESUMED: resumed_told(found.given_up)})
                lake.publish(branch)
                return found.given_up
        except LostRaceError as error:
            lost = error
    raise lost


def _resumption(problem: Problem, topic: str, ref: str) -> Resumption:
    recorded = recorded_offsets(names.bronze_changes(problem.source_name), ref)
    return resumed(topics.state(topic), recorded.get(topic))
