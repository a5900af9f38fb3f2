"""What a replica serves changes only to packages that proved themselves; whatever fails leaves in force what is."""

import pytest

from serving.champion import Watch
from serving.routes import readiness
from tests.serving.world import Kept, World, package


@pytest.fixture
def world() -> World:
    return World()


def served(watch: Watch) -> dict[str, int]:
    return {name: one.champion.version for name, one in watch.in_force.items()}


def test_a_new_problem_appears_without_restart(world: World) -> None:
    watch = world.watch()
    watch.look()
    assert served(watch) == {}
    world.deploy("diabetes", package("diabetes"))
    world.deploy("loan", package("loan"))
    watch.look()
    assert served(watch) == {"diabetes": 1, "loan": 1}


def test_a_package_is_fetched_once_a_generation(world: World) -> None:
    watch = world.watch()
    world.deploy("diabetes", package("diabetes"))
    for _ in range(3):
        watch.look()
    assert world.fetched == 1
    world.deploy("diabetes", package("diabetes", seed=2), version=2)
    watch.look()
    assert (world.fetched, served(watch)) == (2, {"diabetes": 2})


@pytest.mark.parametrize("file", ["model.onnx", "model.ubj", "calibration.json", "golden.json"])
def test_a_package_with_one_changed_byte_is_refused_and_the_old_one_kept(world: World, file: str) -> None:
    watch = world.watch()
    world.deploy("diabetes", package("diabetes"))
    watch.look()
    files = package("diabetes", seed=2)
    champion = world.deploy("diabetes", files, version=2)
    damaged = bytearray(files[file])
    damaged[len(damaged) // 2] ^= 1
    world.store[champion.uri] = {**files, file: bytes(damaged)}
    watch.look()
    assert served(watch) == {"diabetes": 1}
    told = readiness(watch, Kept().state())
    assert told["ready"]
    assert file in told["not_loaded"]["diabetes"]
    assert world.reports[-1][:2] == ("diabetes", 1)
    assert "version 2" in str(world.reports[-1][2])


def test_a_whole_package_of_another_content_is_refused(world: World) -> None:
    watch = world.watch()
    champion = world.deploy("diabetes", package("diabetes"))
    world.store[champion.uri] = package("diabetes", seed=2)
    watch.look()
    assert served(watch) == {}
    assert not readiness(watch, Kept().state())["ready"]


def test_a_package_that_could_not_be_loaded_is_tried_again_but_not_at_every_look(world: World) -> None:
    watch = world.watch()
    world.deploy("diabetes", package("diabetes"))
    world.store_away = True
    for _ in range(5):
        watch.look()
    assert world.fetched == 1
    world.store_away, world.now = False, 2.0
    watch.look()
    assert served(watch) == {"diabetes": 1}
    assert readiness(watch, Kept().state())["not_loaded"] == {}


def test_one_bad_package_does_not_hold_up_the_others(world: World) -> None:
    watch = world.watch()
    champion = world.deploy("diabetes", package("diabetes"))
    del world.store[champion.uri]
    world.deploy("loan", package("loan"))
    watch.look()
    assert served(watch) == {"loan": 1}


def test_without_a_database_the_replica_serves_on_and_says_so(world: World) -> None:
    watch = world.watch()
    world.deploy("diabetes", package("diabetes"))
    watch.look()
    world.database_away = True
    watch.look()
    assert served(watch) == {"diabetes": 1}
    told = readiness(watch, Kept().state())
    assert told["ready"]
    assert "Postgres is away" in told["trouble"]
    world.database_away = False
    watch.look()
    assert readiness(watch, Kept().state())["trouble"] is None


def test_a_replica_is_not_ready_before_it_has_looked(world: World) -> None:
    watch = world.watch()
    assert not readiness(watch, Kept().state())["ready"]
    world.database_away = True
    watch.look()
    assert not readiness(watch, Kept().state())["ready"]
    world.database_away = False
    watch.look()
    assert readiness(watch, Kept().state())["ready"]


def test_a_withdrawn_champion_is_no_longer_served(world: World) -> None:
    watch = world.watch()
    world.deploy("diabetes", package("diabetes"))
    watch.look()
    world.champions.clear()
    watch.look()
    assert served(watch) == {}


def test_what_is_served_is_reported_on_change_and_now_and_then(world: World) -> None:
    watch = world.watch()
    world.deploy("diabetes", package("diabetes"))
    for world.now in (0.0, 1.0, 2.0):
        watch.look()
    assert world.reports == [("diabetes", 1, None)]
    world.now = 20.0
    watch.look()
    assert len(world.reports) == 2
