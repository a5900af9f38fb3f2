"""The documentation is executed: each problem file in it loads, each mistake is told as it says."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.drift.markdown import Block, blocks_of
from docs.drift.named import pages
from millrace.contract.loading import InvalidProblemError, load_problem
from millrace.settings import ROOT

HOW_TO = ROOT / "docs" / "how-to" / "add-a-problem.md"
PROBLEMS = "include/problems/"
ADDED = "add-to:"
EVERY_BLOCK = [(page, block) for page in pages() for block in blocks_of(ROOT / page)]
PROBLEM_FILES = [(page, block) for page, block in EVERY_BLOCK if block.title.startswith(PROBLEMS)]
ADDITIONS = [(page, block) for page, block in EVERY_BLOCK if block.title.startswith(ADDED)]


def base(title: str, page: Path) -> Block:
    return next(block for block in blocks_of(ROOT / page) if block.title == title)


def loaded(text: str, title: str, folder: Path) -> None:
    file = folder / Path(title).name
    file.write_text(text, encoding="utf-8")
    load_problem(file)


def merged(told: Any, added: Any) -> Any:
    if isinstance(told, dict) and isinstance(added, dict):
        return told | {key: merged(told.get(key), value) for key, value in added.items()}
    return added


def mistakes() -> list[tuple[Block, Block]]:
    found = blocks_of(HOW_TO)
    return [(block, said) for block, said in pairwise(found) if block.title == "mistake"]


def test_each_yaml_block_says_which_file_it_is() -> None:
    untitled = [f"{page}:{block.line}" for page, block in EVERY_BLOCK if block.language == "yaml" and not block.title]
    assert untitled == []
    assert PROBLEM_FILES, "the pages show no problem file any more"


@pytest.mark.parametrize(("page", "block"), PROBLEM_FILES, ids=lambda part: str(getattr(part, "line", part)))
def test_a_problem_file_of_the_docs_is_valid(page: Path, block: Block, tmp_path: Path) -> None:
    loaded(block.text, block.title, tmp_path)


@pytest.mark.parametrize(("page", "block"), ADDITIONS, ids=lambda part: str(getattr(part, "line", part)))
def test_what_the_docs_add_to_a_problem_file_is_valid(page: Path, block: Block, tmp_path: Path) -> None:
    title = block.title.removeprefix(ADDED)
    whole = merged(yaml.safe_load(base(title, page).text), yaml.safe_load(block.text))
    loaded(yaml.safe_dump(whole, allow_unicode=True), title, tmp_path)


@pytest.mark.parametrize(("mistake", "said"), mistakes(), ids=lambda block: str(block.line))
def test_lint_tells_a_mistake_as_the_docs_say(mistake: Block, said: Block, tmp_path: Path) -> None:
    right, wrong = (
        "\n".join(line[1:] for line in mistake.text.splitlines() if line.startswith(sign)) for sign in ("-", "+")
    )
    title = "include/problems/churn.yaml"
    text = base(title, HOW_TO.relative_to(ROOT)).text
    assert right in text
    with pytest.raises(InvalidProblemError) as refused:
        loaded(text.replace(right, wrong, 1), title, tmp_path)
    told = str(refused.value).replace(str(tmp_path), title.rpartition("/")[0])
    assert told == said.text.rstrip("\n")


def test_the_csv_of_the_how_to_has_the_columns_of_its_problem_file(tmp_path: Path) -> None:
    found = {block.title: block.text for block in blocks_of(HOW_TO)}
    file = tmp_path / "churn.yaml"
    file.write_text(found["include/problems/churn.yaml"], encoding="utf-8")
    assert found["customers.csv"].splitlines()[0].split(",") == list(load_problem(file).columns())
