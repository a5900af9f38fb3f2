"""What tests want of the system: taken by root with apt-get, left to the person otherwise; never an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.settings import ROOT


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def program(folder: Path, name: str, script: str = "") -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


def install(folder: Path, *names: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "infra.setup.system_packages", *names],
        env=os.environ | {"PATH": str(folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


root_alone = pytest.mark.skipif(os.getuid() != 0, reason="only root installs packages of the system")


@root_alone
def test_what_is_missing_is_installed_by_its_package(bin_folder: Path) -> None:
    program(bin_folder, "chromium")
    program(bin_folder, "apt-get", f'echo "$@" >> {bin_folder}/asked')
    install(bin_folder, "chromium", "chromedriver")
    update, asked = (bin_folder / "asked").read_text().splitlines()
    assert update.startswith("update")
    assert asked.split()[0] == "install"
    assert asked.endswith(" chromium-driver")


@root_alone
def test_where_it_fails_it_is_said_and_the_tests_go_on(bin_folder: Path) -> None:
    program(bin_folder, "apt-get", "echo no network >&2; exit 100")
    said = install(bin_folder, "wrk")
    assert "what needs it is skipped" in said
    assert "no network" in said


def test_nothing_is_asked_for_where_all_is_there(bin_folder: Path) -> None:
    for name in ("chromium", "chromedriver"):
        program(bin_folder, name)
    program(bin_folder, "apt-get", f"touch {bin_folder}/asked")
    assert install(bin_folder, "chromium", "chromedriver") == ""
    assert not (bin_folder / "asked").exists()


def test_where_there_is_no_apt_nothing_happens(bin_folder: Path) -> None:
    assert install(bin_folder, "wrk") == ""
