"""Which files are written from the code."""

import json
from collections.abc import Callable
from pathlib import Path

from docs.drift.api_page import api_page
from docs.drift.commands_page import commands_page
from docs.drift.problem_page import problem_page
from docs.drift.settings_page import settings_page
from millrace.contract.loading import json_schema
from millrace.settings import ROOT

NOTE = "<!-- Written from the code by `make docs`; edit the code's own words instead. -->\n\n"
REFERENCE = Path("docs") / "reference"
PAGES: dict[Path, Callable[[], str]] = {
    REFERENCE / "problem.md": problem_page,
    REFERENCE / "cli.md": commands_page,
    REFERENCE / "settings.md": settings_page,
    REFERENCE / "api.md": api_page,
}
SCHEMA = Path("include") / "problems" / "schema" / "problem.json"


def generated() -> dict[Path, str]:
    """Path from the project root → what must stand there."""
    pages = {path: NOTE + page().rstrip("\n") + "\n" for path, page in PAGES.items()}
    return pages | {SCHEMA: json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"}


def stale() -> list[str]:
    """What is not as the code says, and the way out."""
    found = []
    for path, text in generated().items():
        there = ROOT / path
        if not there.exists() or there.read_text(encoding="utf-8") != text:
            found.append(f"{path} is not what the code says; run `make docs` and look at the difference")
    return found


def write() -> list[Path]:
    """Write what is stale; returns what changed."""
    changed = []
    for path, text in generated().items():
        there = ROOT / path
        if not there.exists() or there.read_text(encoding="utf-8") != text:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed
