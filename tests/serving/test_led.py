"""A model tells which versions led before it, from what the replica saw: no request asks the database."""

from typing import Any

import pytest

from serving.champion import Watch
from tests.serving.world import World, package


@pytest.fixture
def world() -> World:
    """Version 1 led, version 2 leads."""
    world = World()
    for version in (1, 2):
        world.deploy("diabetes", package("diabetes", seed=version), version=version)
    return world


def told(watch: Watch, world: World) -> dict[str, Any]:
    answer = world.client(watch).get("/v1/models/diabetes")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def test_a_model_tells_who_led_from_when_to_when(world: World) -> None:
    watch = world.watch()
    watch.look()
    second, first = told(watch, world)["history"]
    assert (first["version"], second["version"]) == (1, 2)
    assert first["to"] == second["from"]
    assert second["to"] is None
    assert (second["actor"], second["reason"]) == ("test", "because")
    assert told(watch, world)["history_note"] is None


def test_a_move_that_the_replica_sees_is_told(world: World) -> None:
    watch = world.watch()
    watch.look()
    world.deploy("diabetes", package("diabetes"), version=1)
    watch.look()
    assert [one["version"] for one in told(watch, world)["history"]] == [1, 2, 1]


def test_where_the_database_was_never_seen_it_is_null_and_says_why(world: World) -> None:
    world.watch().look()
    world.database_away = True
    watch = world.watch()
    watch.look()
    answer = told(watch, world)
    assert answer["history"] is None
    assert "Postgres is away" in answer["history_note"]


def test_while_the_database_is_away_what_was_seen_is_told_and_that_it_may_be_old(world: World) -> None:
    watch = world.watch()
    watch.look()
    world.database_away = True
    watch.look()
    answer = told(watch, world)
    assert [one["version"] for one in answer["history"]] == [2, 1]
    assert "Postgres is away" in answer["history_note"]
