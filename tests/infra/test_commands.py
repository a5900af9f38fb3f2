"""What a person types: the Makefile, its words, and errors that help."""

import re
import subprocess

import pytest

from infra.paths import ROOT, VENV
from infra.services import PROFILES, of_profile
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

TARGETS = {
    *("setup", "env", "up", "down", "status", "open", "logs", "clean", "doctor", "lock", "help"),
    *("demo", "lint", "check", "bench", "test", "test-unit", "test-faults"),
}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def test_help_lists_every_target_with_a_line_of_words() -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", run("make", "help").stdout)
    listed = dict(re.findall(r"^  (\S+)\s+(\S.*)$", shown, re.MULTILINE))
    assert set(listed) == set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(listed) >= TARGETS
    assert all(len(words.split()) >= 2 for words in listed.values())


def test_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(MillraceError) as caught:
        of_profile("cor", Settings(_env_file=None))
    assert caught.value.expected == ", ".join(PROFILES)
    assert 'did you mean "core"?' in caught.value.fix


def test_an_error_leaves_as_words_and_an_exit_code_not_as_a_traceback() -> None:
    done = run(str(VENV / "bin" / "python"), "-m", "infra", "logs", "sparc")
    assert done.returncode == 1
    assert 'there is no service "sparc"' in done.stdout
    assert 'did you mean "spark"?' in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_doctor_needs_nothing_but_python() -> None:
    done = run("python3.11", "-I", "-S", "infra/doctor.py")
    assert "✓ Python" in done.stdout
    assert "Traceback" not in done.stderr


def test_services_come_after_what_they_need() -> None:
    for services in PROFILES.values():
        seen: set[str] = set()
        for service in services:
            assert set(service.after) <= seen, service.name
            seen.add(service.name)


def test_an_external_s3_leaves_minio_out() -> None:
    names = {service.name for service in of_profile("core", Settings(_env_file=None, s3_endpoint="http://elsewhere"))}
    assert "minio" not in names
    assert "postgres" in names
