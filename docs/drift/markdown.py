"""Reading Markdown: fenced blocks with their titles, links, code spans; and writing tables."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(?P<language>[\w-]*)(?P<info>[^\n`]*)\n(?P<text>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"`(?P<text>[^`\n]+)`")
HEADING = re.compile(r"^#{1,6} +(?P<words>.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block. `title` is what follows `title=` on its first line, such as the name of the file that it is."""

    language: str
    title: str
    text: str
    line: int


@dataclass(frozen=True)
class Span:
    """A piece of a line: the target of a link, or the text of a code span."""

    text: str
    line: int


def blocks(markdown: str) -> Iterator[Block]:
    """Every fenced block, in order."""
    for found in FENCE.finditer(markdown):
        title = re.search(r"title=(\S+)", found["info"])
        yield Block(found["language"], title[1] if title else "", found["text"], _line(markdown, found.start()))


def blocks_of(page: Path) -> list[Block]:
    """Every fenced block of a page."""
    return list(blocks(page.read_text(encoding="utf-8")))


def links(markdown: str) -> Iterator[Span]:
    """The targets of links and pictures."""
    for found in LINK.finditer(without_blocks(markdown)):
        yield Span(found["target"], _line(markdown, found.start()))


def code_spans(markdown: str) -> Iterator[Span]:
    """The text between single backticks."""
    for found in CODE.finditer(without_blocks(markdown)):
        yield Span(found["text"], _line(markdown, found.start()))


def anchors(markdown: str) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    found = set()
    for heading in HEADING.finditer(without_blocks(markdown)):
        words = re.sub(r"[^\w\- ]", "", heading["words"].lower())
        found.add(words.replace(" ", "-"))
    return found


def without_blocks(markdown: str) -> str:
    """The text with fenced blocks blanked out, line numbers kept."""
    return FENCE.sub(lambda found: "\n" * found[0].count("\n"), markdown)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(cell(word) for word in row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]]) + "\n"


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _line(markdown: str, position: int) -> int:
    return markdown.count("\n", 0, position) + 1
