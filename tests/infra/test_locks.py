"""Locks fit pyproject.toml, agree with each other, and a drift is seen."""

import re
import shutil
from pathlib import Path

import pytest

from infra import locks


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==(\S+)", path.read_text(), re.MULTILINE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "requirements"
    shutil.copytree(locks.FOLDER, copy)
    return copy


def test_the_committed_locks_fit() -> None:
    assert locks.drift() == []


@pytest.mark.parametrize("group", locks.NATIVE)
def test_a_group_never_disagrees_with_the_one_environment(group: str) -> None:
    together, alone = pins(locks.FOLDER / "native.txt"), pins(locks.FOLDER / f"{group}.txt")
    assert alone
    assert {name: together.get(name) for name in alone} == alone


def test_every_pin_has_hashes() -> None:
    for path in locks.FOLDER.glob("*.txt"):
        for entry in re.split(r"\n(?=[a-z0-9])", path.read_text()):
            if "==" in entry.split("\n")[0]:
                assert "--hash=sha256:" in entry, f"{path.name}: {entry.splitlines()[0]}"


def test_an_edited_lock_is_seen(folder: Path) -> None:
    path = folder / "serving.txt"
    path.write_text(path.read_text().replace("fastapi==", "fastapi==9.", 1))
    assert locks.drift(folder) == ["serving.txt was edited by hand: run `make lock`"]


def test_a_lock_of_other_requirements_is_seen(folder: Path) -> None:
    path = folder / "spark.txt"
    path.write_text(re.sub(r"# inputs: \w+", "# inputs: 0123456789abcdef", path.read_text()))
    assert "spark.txt was compiled from other requirements" in locks.drift(folder)[0]


def test_a_missing_lock_is_seen(folder: Path) -> None:
    (folder / "go.txt").unlink()
    assert locks.drift(folder) == ["go.txt is missing: run `make lock`"]


def test_astros_requirements_leave_airflow_to_the_image() -> None:
    names = [line.split("==")[0] for line in locks.astro_requirements().splitlines() if "==" in line]
    assert "apache-airflow" not in names
    assert "pyspark-client" in names
