"""`make check`: every check that needs no stack, side by side; what fails is shown in full."""

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rich.console import Console

from infra.paths import ROOT, VENV

BIN = VENV / "bin"
PLACES = ("include", "infra", "spark_jobs", "expectations", "serving", "dags", "plugins", "benchmarks", "tests", "docs")


@dataclass(frozen=True)
class Check:
    name: str
    command: list[str]


def all_checks() -> Iterator[Check]:
    """The checks for what exists in this clone."""
    places = [place for place in PLACES if any((ROOT / place).rglob("*.py"))]
    yield Check("style", [str(BIN / "ruff"), "check", "--quiet", "."])
    yield Check("format", [str(BIN / "ruff"), "format", "--check", "--quiet", "."])
    yield Check("types", [str(BIN / "mypy"), *(place for place in places if place != "tests")])
    yield Check("imports", [str(BIN / "lint-imports")])
    yield Check("locks", [str(BIN / "python"), "-m", "infra.locks", "--check"])
    dockerfiles = [str(path) for path in sorted((ROOT / "infra" / "containers").glob("*.Dockerfile"))]
    yield Check("Dockerfiles", [str(BIN / "hadolint"), "Dockerfile", *dockerfiles])
    schema = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.override.yml"]
    yield Check("compose", schema)
    if (ROOT / "include" / "millrace" / "cli.py").exists():
        yield Check("problems", [str(BIN / "millrace"), "lint"])
    yield Check("docs", [str(BIN / "python"), "-m", "docs.drift"])


def run_all(console: Console) -> bool:
    """Runs them, as many at once as there are cores; says whether all passed."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        return all(list(pool.map(lambda check: _run(check, console), all_checks())))


def _run(check: Check, console: Console) -> bool:
    began = time.monotonic()
    done = subprocess.run(check.command, check=False, cwd=ROOT, capture_output=True, text=True)
    ok = done.returncode == 0
    console.print(f"{'[green]✓[/]' if ok else '[red]✗[/]'} {check.name:<12} {time.monotonic() - began:.1f} s")
    if not ok:
        console.print((done.stdout + done.stderr).rstrip(), markup=False, highlight=False, soft_wrap=True)
    return ok
