"""A replica that starts while database or store are away serves what it last served, checked again, and says so."""

from pathlib import Path

import pytest

from millrace.domain.package import content_hash
from serving.champion import Watch
from serving.package_cache import ENTRY, problems
from serving.routes import readiness
from tests.serving.world import World, package


@pytest.fixture
def world() -> World:
    """A replica served version 2 of diabetes after version 1, and ended."""
    world = World()
    watch = world.watch()
    for version in (1, 2):
        world.deploy("diabetes", package("diabetes", seed=version), version=version)
        watch.look()
    return world


def restarted(world: World) -> Watch:
    watch = world.watch()
    watch.look()
    return watch


def served(watch: Watch) -> dict[str, int]:
    return {name: one.champion.version for name, one in watch.in_force.items()}


def kept_file(world: World, name: str, *, seed: int = 2) -> Path:
    return world.cache / "diabetes" / content_hash(package("diabetes", seed=seed)) / name


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_with_everything_away_it_serves_the_last_version_and_says_so(world: World) -> None:
    world.database_away = world.store_away = True
    watch = restarted(world)
    assert served(watch) == {"diabetes": 2}
    told = readiness(watch, world.kept.state())
    assert told["ready"]
    assert told["from_cache"] == {"diabetes": watch.from_cache["diabetes"].isoformat(timespec="seconds")}
    assert "Postgres is away" in told["trouble"]
    client = world.client(watch)
    assert "millrace_champions_from_cache 1.0" in client.get("/metrics").text


def test_when_the_database_answers_again_its_word_is_followed(world: World) -> None:
    world.database_away = True
    watch = restarted(world)
    fetched = world.fetched
    world.database_away = False
    watch.look()
    assert readiness(watch, world.kept.state())["from_cache"] == {}
    assert world.fetched == fetched, "the same champion is not loaded twice"
    world.deploy("diabetes", package("diabetes", seed=3), version=3)
    watch.look()
    assert served(watch) == {"diabetes": 3}


def test_a_champion_that_moved_while_the_replica_was_down_is_followed_at_once(world: World) -> None:
    world.deploy("diabetes", package("diabetes", seed=3), version=3)
    watch = restarted(world)
    assert (served(watch), readiness(watch, world.kept.state())["from_cache"]) == ({"diabetes": 3}, {})


def test_a_new_champion_that_cannot_be_fetched_leaves_the_remembered_one_in_force(world: World) -> None:
    world.deploy("diabetes", package("diabetes", seed=3), version=3)
    world.store_away = True
    watch = restarted(world)
    told = readiness(watch, world.kept.state())
    assert (told["ready"], told["serves"]) == (True, {"diabetes": 2})
    assert list(told["from_cache"]) == ["diabetes"]
    assert "version 3: MinIO is away" in told["not_loaded"]["diabetes"]
    world.store_away, world.now = False, 60.0
    watch.look()
    told = readiness(watch, world.kept.state())
    assert (told["serves"], told["from_cache"], told["not_loaded"]) == ({"diabetes": 3}, {}, {})


def test_the_unconfirmed_champion_is_never_written_as_the_databases_word(world: World) -> None:
    entry = (world.cache / "diabetes" / ENTRY).read_bytes()
    world.deploy("diabetes", package("diabetes", seed=3), version=3)
    world.store_away = True
    restarted(world)
    assert (world.cache / "diabetes" / ENTRY).read_bytes() == entry


def test_with_the_store_away_the_same_champion_comes_from_the_disk(world: World) -> None:
    world.store_away = True
    watch = restarted(world)
    assert served(watch) == {"diabetes": 2}
    assert readiness(watch, world.kept.state())["from_cache"] == {}, "the database says that this is the champion"


def test_a_rollback_takes_neither_network_nor_store(world: World) -> None:
    watch = restarted(world)
    world.deploy("diabetes", package("diabetes", seed=1), version=1)
    world.store_away = True
    watch.look()
    assert (served(watch), readiness(watch, world.kept.state())["not_loaded"]) == ({"diabetes": 1}, {})


@pytest.mark.parametrize("file", ["model.onnx", "calibration.json", "golden.json", "manifest.json"])
def test_a_damaged_cache_is_refused_and_removed(world: World, file: str, caplog: pytest.LogCaptureFixture) -> None:
    damage(kept_file(world, file))
    world.database_away = world.store_away = True
    watch = restarted(world)
    assert (served(watch), readiness(watch, world.kept.state())["ready"]) == ({}, False)
    assert "is refused and removed" in caplog.text
    assert not kept_file(world, file).exists()
    watch.look()
    assert served(watch) == {}
    world.database_away = world.store_away = False
    watch.look()
    assert served(watch) == {"diabetes": 2}
    assert kept_file(world, file).read_bytes() == package("diabetes", seed=2)[file], "it is kept anew"


def test_a_damaged_cache_is_replaced_from_the_store(world: World) -> None:
    damage(kept_file(world, "model.onnx"))
    watch = restarted(world)
    assert (served(watch), world.fetched) == ({"diabetes": 2}, 3)
    assert kept_file(world, "model.onnx").read_bytes() == package("diabetes", seed=2)["model.onnx"]


def test_a_package_with_a_file_missing_or_too_many_is_refused(world: World) -> None:
    world.database_away = True
    kept_file(world, "more.json").write_text("{}")
    assert served(restarted(world)) == {}


def test_a_withdrawn_champion_is_forgotten(world: World) -> None:
    world.deploy("loan", package("loan"))
    watch = restarted(world)
    del world.champions["diabetes"]
    watch.look()
    assert problems(world.cache) == ["loan"]
    world.database_away = True
    assert served(restarted(world)) == {"loan": 1}


def test_a_disk_that_refuses_is_told_and_stops_nothing(world: World) -> None:
    watch = restarted(world)
    aside = world.cache.rename(world.cache.with_name("aside"))
    world.cache.touch()  # No folder can be made here.
    world.deploy("diabetes", package("diabetes", seed=3), version=3)
    watch.look()
    assert served(watch) == {"diabetes": 3}
    assert "cannot be written" in readiness(watch, world.kept.state())["cache_trouble"]
    world.cache.unlink()
    aside.rename(world.cache)
    watch.look()
    assert readiness(watch, world.kept.state())["cache_trouble"], "it is not tried at every look"
    world.now = 60.0
    watch.look()
    assert readiness(watch, world.kept.state())["cache_trouble"] is None
    world.database_away = True
    assert served(restarted(world)) == {"diabetes": 3}


def test_a_restored_database_that_counts_the_same_generations_again_is_followed(world: World) -> None:
    watch = restarted(world)
    generation = world.champions.pop("diabetes").generation
    for version in range(10, 10 + generation):
        world.deploy("diabetes", package("diabetes", seed=3), version=version)
    watch.look()
    assert served(watch) == {"diabetes": 9 + generation}


def test_what_somebody_else_left_in_the_cache_stops_nothing(world: World) -> None:
    (world.cache / ".DS_Store").write_bytes(b"")
    world.database_away = True
    watch = restarted(world)
    assert served(watch) == {"diabetes": 2}
    world.database_away = False
    watch.look()
    assert readiness(watch, world.kept.state())["cache_trouble"] is None
