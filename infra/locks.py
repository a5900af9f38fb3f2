"""Locks: one hashed requirements file for each dependency group, and the check that they still fit `pyproject.toml`.

Not uv.lock: that names the hosts of the machine that made it. `requirements/native.txt` is the one environment of the
native stack (all groups but spark); the files of its groups are constrained by it, so they never disagree.
Standard library only: `make check` and the set-up use it.
"""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from infra.paths import ROOT, UV

FOLDER = ROOT / "requirements"
NATIVE = ("core", "airflow", "train", "serving", "dev")
# Lock file → groups in it.
GROUPS = {"native": NATIVE, **{name: (name,) for name in NATIVE}, "spark": ("spark",)}
# Lock file → its own small source file.
TOOLS = {"bootstrap": FOLDER / "bootstrap.in", "go": FOLDER / "go.in"}
HEAD = """\
# Compiled by `make lock`; do not edit. `make check` compares the two numbers.
# inputs: {inputs}
# content: {content}
"""


def main() -> None:
    """`python -m infra.locks`: compiles every lock anew, keeping pins that still fit; with `--check` only compares."""
    if "--check" in sys.argv:
        problems = drift()
        print("\n".join(problems) or "locks fit pyproject.toml")
        sys.exit(bool(problems))
    for lock in (*TOOLS, *GROUPS):
        compile_lock(lock, upgrade="--upgrade" in sys.argv)
        print(f"locked {lock}")
    write_astro_requirements()


def compile_lock(lock: str, *, upgrade: bool) -> None:
    target = FOLDER / f"{lock}.txt"
    command = [str(UV), "pip", "compile", "--quiet", "--python-version=3.11", "--generate-hashes"]
    # No index host, no comments with paths: the same content on every machine.
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    command += (
        [str(TOOLS[lock])] if lock in TOOLS else ["pyproject.toml", *(f"--group={name}" for name in GROUPS[lock])]
    )
    if lock in NATIVE:
        command.append(f"--constraints={FOLDER / 'native.txt'}")
    half = target.with_suffix(".half")
    if target.exists() and not upgrade:
        half.write_text(target.read_text())
    subprocess.run([*command, f"--output-file={half}"], cwd=ROOT, check=True)
    body = half.read_text()
    half.unlink()
    target.write_text(HEAD.format(inputs=_inputs(lock), content=_digest(body)) + body)


def drift(folder: Path = FOLDER) -> list[str]:
    """What does not fit, in words: a lock of other inputs, an edited lock, a missing lock."""
    problems = []
    for lock in (*TOOLS, *GROUPS):
        path = folder / f"{lock}.txt"
        if not path.exists():
            problems.append(f"{path.name} is missing: run `make lock`")
            continue
        head, body = _split(path.read_text())
        if head.get("inputs") != _inputs(lock):
            problems.append(
                f"{path.name} was compiled from other requirements than pyproject.toml has now: run `make lock`"
            )
        elif head.get("content") != _digest(body):
            problems.append(f"{path.name} was edited by hand: run `make lock`")
    if not problems and (ROOT / "requirements.txt").read_text() != astro_requirements():
        problems.append("requirements.txt (for Astro) does not fit requirements/airflow.txt: run `make lock`")
    return problems


def astro_requirements() -> str:
    """The airflow group for an image that brings its own Airflow: direct requirements, pinned as in the lock."""
    pins = dict(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==(\S+)", (FOLDER / "airflow.txt").read_text(), re.MULTILINE))
    lines = []
    for requirement in _requirements("airflow"):
        name, extras = re.match(r"([A-Za-z0-9._-]+)(\[[^\]]*\])?", requirement).groups()  # type: ignore[union-attr]
        if name != "apache-airflow":
            lines.append(f"{name}{extras or ''}=={pins[name.lower()]}")
    head = "# Made by `make lock` from the airflow group. Without apache-airflow: the runtime image pins its own.\n"
    return head + "\n".join(sorted(set(lines))) + "\n"


def write_astro_requirements() -> None:
    (ROOT / "requirements.txt").write_text(astro_requirements())


def _requirements(group: str) -> list[str]:
    """The requirements of a group, those of included groups first."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    found: list[str] = []
    for entry in table[group]:
        found += _requirements(entry["include-group"]) if isinstance(entry, dict) else [entry]
    return found


def _inputs(lock: str) -> str:
    if lock in TOOLS:
        return _digest(TOOLS[lock].read_text())
    return _digest(json.dumps({name: _requirements(name) for name in GROUPS[lock]}))


def _split(text: str) -> tuple[dict[str, str], str]:
    lines = text.splitlines(keepends=True)
    head = dict(re.findall(r"^# (inputs|content): (\S+)", "".join(lines[:3]), re.MULTILINE))
    return head, "".join(lines[3:])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
