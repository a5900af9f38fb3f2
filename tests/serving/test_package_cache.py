"""What is kept of a package is data, whole on the disk or not there, and of a problem no more than two contents."""

from dataclasses import replace
from pathlib import Path

import pytest

from millrace.domain.package import content_hash
from serving import package_cache
from serving.package_cache import ENTRY, UNFINISHED
from tests.serving.world import World, package


@pytest.fixture
def world() -> World:
    return World()


def put(world: World, seed: int, version: int) -> str:
    files = package("diabetes", seed=seed)
    package_cache.save(world.cache, world.deploy("diabetes", files, version=version), files)
    return content_hash(files)


def kept(world: World) -> set[str]:
    return {path.name for path in (world.cache / "diabetes").iterdir()}


def test_what_is_saved_is_read_back_as_it_was(world: World) -> None:
    content = put(world, seed=1, version=1)
    entry = package_cache.remembered(world.cache)["diabetes"]
    assert entry is not None
    assert (entry.champion, entry.former) == (world.champions["diabetes"], None)
    assert package_cache.read(world.cache, "diabetes", content) == package("diabetes")


def test_the_former_content_is_kept_and_older_ones_go(world: World) -> None:
    first, second, third = (put(world, seed, seed) for seed in (1, 2, 3))
    assert kept(world) == {ENTRY, second, third}
    assert put(world, seed=2, version=2) == second
    assert kept(world) == {ENTRY, second, third}, "a rollback keeps what it replaced"
    put(world, seed=2, version=4)
    assert kept(world) == {ENTRY, second, third}, "the same content under another number replaced nothing"
    assert package_cache.read(world.cache, "diabetes", first) is None


def test_a_write_that_was_killed_leaves_what_was_and_is_cleared_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put(world, seed=1, version=1)

    def killed(_from: Path, _to: Path) -> Path:
        raise KeyboardInterrupt

    def left_behind(_path: Path) -> None:
        """A killed process removes nothing."""

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        patch.setattr(package_cache, "_remove", left_behind)
        with pytest.raises(KeyboardInterrupt):
            put(world, seed=2, version=2)
    assert any(name.startswith(UNFINISHED) for name in kept(world))
    entry = package_cache.remembered(world.cache)["diabetes"]
    assert entry is not None
    assert (entry.champion.version, entry.champion.content_hash) == (1, first)
    assert package_cache.read(world.cache, "diabetes", first) == package("diabetes")
    second = put(world, seed=2, version=2)
    assert kept(world) == {ENTRY, first, second}


@pytest.mark.parametrize("text", [b"", b"{", b'{"format": 2}', b"\xff\xfe", b"[]"])
def test_an_entry_that_cannot_be_read_is_none(world: World, text: bytes) -> None:
    put(world, seed=1, version=1)
    (world.cache / "diabetes" / ENTRY).write_bytes(text)
    assert package_cache.remembered(world.cache) == {"diabetes": None}


def test_an_entry_of_another_problem_is_none(world: World) -> None:
    put(world, seed=1, version=1)
    (world.cache / "diabetes").rename(world.cache / "loan")
    assert package_cache.remembered(world.cache) == {"loan": None}


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../outside", ".hidden"])
def test_no_name_leads_out_of_the_cache(world: World, name: str) -> None:
    champion = world.deploy("diabetes", package("diabetes"))
    for bad in (replace(champion, problem=name), replace(champion, content_hash=name)):
        with pytest.raises(OSError, match="no plain name"):
            package_cache.save(world.cache, bad, package("diabetes"))
    with pytest.raises(OSError, match="no plain name"):
        package_cache.save(world.cache, champion, {name: b"x"})
    assert [path.name for path in Path(world.room.name).rglob("*") if path.is_file()] == []


def test_forgetting_leaves_the_other_problems(world: World) -> None:
    put(world, seed=1, version=1)
    package_cache.save(world.cache, world.deploy("loan", package("loan")), package("loan"))
    package_cache.forget(world.cache, "diabetes")
    assert package_cache.problems(world.cache) == ["loan"]
