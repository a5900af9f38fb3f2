"""What pages name must exist: links, anchors, `make` targets, `millrace` commands and their options, paths."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from docs.drift.commands_page import commands, make_targets, options
from docs.drift.markdown import anchors, blocks, code_spans, links
from millrace.contract.errors import did_you_mean
from millrace.settings import ROOT

NOT_OURS = ("docs/reports/",)
"""Reports tell what was on their day."""
TOP = "dags|docs|expectations|include|infra|plugins|requirements|serving|spark_jobs|tests|benchmarks|\\.astro"
PATH = re.compile(rf"(?:{TOP})/[\w./*-]*|[\w./-]+\.(?:py|toml|yaml|yml|txt|md)|Makefile|Dockerfile")
ROOMS = (Path(), Path("include") / "millrace")
"""Where a path may begin, besides the page's own folder."""
SUFFIXES_OF_OTHERS = re.compile(r"[<{…*]")


def pages() -> list[Path]:
    """Every page of the project, from its root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    paths = sorted(path.relative_to(ROOT) for path in found)
    return [path for path in paths if not str(path).startswith(NOT_OURS)]


def wrong_names(page: Path) -> Iterator[str]:
    """What a page names and is not there, each with file and line."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in links(text):
        if why := _broken_link(page, link.text):
            yield f"{page}:{link.line}: {why}"
    made = {block.title for block in blocks(text) if block.title}
    for span in code_spans(text):
        for why in (*_wrong_command(span.text), *_wrong_path(page, span.text, made)):
            yield f"{page}:{span.line}: {why}"
    for block in blocks(text):
        if block.language in ("sh", "shell", "bash", "console"):
            for number, line in enumerate(block.text.splitlines(), start=1):
                for why in _wrong_command(line.removeprefix("$ ")):
                    yield f"{page}:{block.line + number}: {why}"


def _broken_link(page: Path, target: str) -> str | None:
    if re.match(r"[a-z]+:", target):
        return None
    path, _, anchor = unquote(target).partition("#")
    there = (ROOT / page.parent / path) if path else ROOT / page
    if not there.exists():
        return f"the link to {target} leads nowhere"
    if anchor and there.suffix == ".md" and anchor not in anchors(there.read_text(encoding="utf-8")):
        return f"{target}: no heading has the anchor {anchor}"
    return None


def _wrong_command(line: str) -> Iterator[str]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return
    for position, word in enumerate(words[:-1]):
        following = words[position + 1]
        if word == "make" and re.fullmatch(r"[a-z-]+", following) and following not in make_targets():
            yield f"`make {following}`: there is no such target; {did_you_mean(following, list(make_targets()))}"
        if word in ("millrace", ".venv/bin/millrace") and re.fullmatch(r"[a-z]+", following):
            both = " ".join(words[position + 1 : position + 3])
            yield from _wrong_call(both if both in commands() else following, words[position + 2 :])
        if word not in ("make", "millrace", ".venv/bin/millrace") and position == 0:
            return


def _wrong_call(command: str, arguments: list[str]) -> Iterator[str]:
    if command not in commands():
        yield f"`millrace {command}`: there is no such command; {did_you_mean(command, list(commands()))}"
        return
    for word in arguments:
        name = word.partition("=")[0]
        if name.startswith("--") and name not in options(command):
            yield f"`millrace {command} {name}`: there is no such option; {did_you_mean(name, list(options(command)))}"


def _wrong_path(page: Path, text: str, made: set[str]) -> Iterator[str]:
    if not PATH.fullmatch(text) or SUFFIXES_OF_OTHERS.search(text.replace("*", "")):
        return
    if text in made or any(Path(title).name == text for title in made):
        return
    if "*" in text:
        if not any(ROOT.glob(text)):
            yield f"no file is like {text}"
    elif not any((ROOT / room / text).exists() for room in (*ROOMS, page.parent)):
        yield f"there is no {text}"
