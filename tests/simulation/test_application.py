"""What an application does, and what is then true of silver: told by rules of its own, in plain Python."""

import pytest

from millrace.contract.errors import MillraceError
from millrace.contract.loading import load_problem
from millrace.simulation.application import Application
from millrace.simulation.world import Statement, World
from tests.steps.transforming import problem_named
from tests.tables import SHIPPED

PROBLEM = problem_named("app")


def row(key: str, **told: object) -> dict[str, object]:
    return {"id": key, "seen_at": None, "size": 5.0, "note": "x", "phone": "1", "sold": None} | told


def world(*statements: Statement) -> dict[str, dict[str, object]]:
    found = World(PROBLEM)
    for statement in statements:
        found.apply(statement)
    return found.silver()


def test_features_freeze_corrections_follow_and_the_last_label_stays() -> None:
    found = world(
        Statement("insert", None, row("a")),
        Statement("label", ("a",), row("a", size=9.0, note="y", sold=1)),
        Statement("correct", ("a",), row("a", note="z", sold=None)),
    )
    assert found == {'["a"]': row("a", note="z", sold=1)}


def test_a_broken_version_is_none_and_a_row_that_was_never_valid_is_not_there() -> None:
    broken = frozenset({"size"})
    found = world(
        Statement("insert", None, row("a")),
        Statement("break", ("a",), row("a", size=500.0, note="y", sold=1), broken),
        Statement("insert", None, row("b", size=500.0), broken),
    )
    assert found == {'["a"]': row("a")}


def test_a_key_that_comes_again_is_another_row() -> None:
    found = world(
        Statement("insert", None, row("a", sold=1)),
        Statement("delete", ("a",), None),
        Statement("insert", None, row("a", size=7.0)),
        Statement("insert", None, row("b", sold=0)),
        Statement("rekey", ("b",), row("c", size=8.0)),
    )
    assert found == {'["a"]': row("a", size=7.0), '["c"]': row("c", size=8.0)}


@pytest.mark.parametrize("name", ["loan", "diabetes"])
def test_it_does_all_that_an_application_does_and_the_same_again(name: str) -> None:
    problem = load_problem(SHIPPED / f"{name}.yaml")

    def played() -> tuple[list[str], set[str]]:
        application, kinds = Application(problem, seed=7), set()
        for _ in range(400):
            statements = application.next_transaction()
            for statement in statements:
                application.world.apply(statement)
                kinds.add(statement.kind)
        return sorted(application.world.silver()), kinds

    keys, kinds = played()
    assert kinds == {"insert", "label", "correct", "break", "delete", "rekey"}
    assert len(keys) > 200
    assert (keys, kinds) == played()


def test_a_problem_without_rows_that_change_is_refused() -> None:
    purchase = load_problem(SHIPPED / "purchase.yaml")
    with pytest.raises(MillraceError, match="follows no table"):
        Application(purchase, seed=1)
