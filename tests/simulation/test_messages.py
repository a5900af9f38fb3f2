"""Messages that the simulator sends as producers do: what they say is what they are told to be."""

import json
from collections import Counter
from itertools import islice
from typing import Any

import pytest

from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.contract.topic import Format
from millrace.domain.assigned_keys import key_assigner
from millrace.domain.message_fields import row_of
from millrace.settings import ROOT
from millrace.simulation.messages import AT_ONCE, Sent, messages
from tests.steps.transforming import with_topic

PROBLEMS = {path.stem: load_problem(path) for path in sorted((ROOT / "include" / "problems").glob("*.yaml"))}


def sent(problem: Problem, count: int = AT_ONCE, **told: Any) -> list[Sent]:
    return [*islice(messages(problem, **{"seed": 1, "first_row": 0, "broken_share": 0.1} | told), count)]


def told_by(name: str, said: Format) -> Problem:
    return with_topic(PROBLEMS[name], {"name": "shop.events", "format": said})


@pytest.mark.parametrize("said", ["json", "json_envelope"])
@pytest.mark.parametrize("name", ["purchase", "loan"])
def test_each_is_what_it_is_told_to_be(name: str, said: Format) -> None:
    problem = told_by(name, said)
    found = sent(problem)
    kinds = Counter(one.kind for one in found)
    assert kinds["broken"] + kinds["unreadable"] == pytest.approx(0.1 * AT_ONCE, abs=0.03 * AT_ONCE)
    assert kinds["broken"] > kinds["unreadable"] > 0
    for one in found:
        row = None if one.value is None else row_of(one.value, said)
        if one.kind == "unreadable":
            assert row is None
            assert one.row is None
            continue
        assert row is not None
        assert {*row} == {*problem.source.columns}
        assert (one.row is not None) == (one.kind in ("valid", "again"))
        if one.row is not None:
            assert all((row[column] is None) == (value is None) for column, value in one.row.items())
    assert len({one.value for one in found if one.kind == "unreadable"}) >= 3, "in several ways"


def test_numbers_are_numbers_and_a_key_is_that_of_a_file() -> None:
    problem = told_by("purchase", "json")
    one = next(one for one in sent(problem) if one.kind == "valid")
    row = json.loads(one.value or b"")
    assert (type(row["price"]), type(row["user_id"]), type(row["event_time"])) == (float, int, str)
    assert one.row is not None
    assert (one.row["price"], one.row["user_id"]) == (row["price"], row["user_id"])
    assign = key_assigner((*row,), problem.source)
    assert assign is not None
    assert [one.key] == assign([tuple(None if said is None else str(said) for said in row.values())])


def test_the_same_arguments_give_the_same_messages_and_others_others() -> None:
    problem = told_by("purchase", "json")
    again = [one.value for one in sent(problem)]
    assert again == [one.value for one in sent(problem)]
    assert again != [one.value for one in sent(problem, seed=2)]
    longer = sent(problem, 2 * AT_ONCE)
    keys = [one.key for one in longer if one.kind == "valid"]
    assert len({*keys}) == len(keys), "later ones are others, too"
