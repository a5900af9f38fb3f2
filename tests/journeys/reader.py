"""Somebody who does what a page says: its blocks by title, its problem under a name of this session's own."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docs.drift.markdown import blocks_of
from millrace.settings import ROOT


@dataclass(frozen=True)
class Reader:
    """A page, and the folder in which its commands run."""

    blocks: Mapping[str, str]
    folder: Path
    environment: Mapping[str, str]

    def run(self, title: str) -> str:
        """Run the commands of a block, and return what they print."""
        return self.run_text(self.blocks[title])

    def run_text(self, command: str) -> str:
        """Run commands, and return what they print."""
        # A page is read in the project's folder; here the files it makes must not lie there.
        command = command.replace(".venv/bin/", f"{ROOT}/.venv/bin/").replace("make ", f"make -C {ROOT} ")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            check=False,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def edit(self, title: str, file: Path) -> None:
        """Change a file as a diff says: each line that goes is there, and those after it take its place."""
        lines, at = file.read_text(encoding="utf-8").splitlines(), 0
        for line in self.blocks[title].splitlines():
            if line.startswith("-"):
                assert line[1:] in lines, f"the draft has no line {line[1:]!r}:\n" + "\n".join(lines)
                at = lines.index(line[1:])
                del lines[at]
            else:
                lines.insert(at, line[1:])
                at += 1
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def reader_of(
    page: Path, named: Mapping[str, str], folder: Path, environment: Mapping[str, str] | None = None
) -> Reader:
    """A reader of a page who calls things otherwise.

    Args:
        named: Words of the page, and what the reader calls them.
        folder: Where its commands run.
        environment: What its commands get besides our own environment.
    """
    blocks = {}
    for block in blocks_of(page):
        text = block.text
        for word, own in named.items():
            text = text.replace(word, own)
        blocks[block.title] = text
    return Reader(blocks, folder, environment or {})
