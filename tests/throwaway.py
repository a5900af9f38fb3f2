"""Problems that live for one test: nothing else in the stack has their tables, prefixes or models."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import yaml

from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.drills.likeness import SHIPPED, renamed
from millrace.settings import get_settings

Change = Callable[[dict[str, Any]], None]


@contextmanager
def problem_like(shipped: str, change: Change = lambda _content: None) -> Iterator[Problem]:
    """A shipped problem under names of its own, small enough for tests; its file is there while the block runs.

    Args:
        shipped: Its model, such as `diabetes`.
        change: Edits the content of the file, as YAML reads it.
    """
    content = yaml.safe_load((SHIPPED / f"{shipped}.yaml").read_text(encoding="utf-8"))
    with problem_from(_renamed(content, shipped), change) as problem:
        yield problem


@contextmanager
def twin_of(problem: Problem) -> Iterator[Problem]:
    """The same problem under other names: what it holds after an undisturbed way is what the first should hold."""
    shipped = problem.problem.rpartition("_")[0]
    content = yaml.safe_load((get_settings().problems_dir / f"{problem.problem}.yaml").read_text(encoding="utf-8"))
    with problem_from(_renamed(content, shipped)) as twin:
        yield twin


@contextmanager
def problem_from(content: dict[str, Any], change: Change = lambda _content: None) -> Iterator[Problem]:
    """A problem of this content; its file is there while the block runs."""
    content = deepcopy(content)
    change(content)
    path = get_settings().problems_dir / f"{content['problem']}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    try:
        yield load_problem(path)
    finally:
        path.unlink(missing_ok=True)


def _renamed(content: dict[str, Any], shipped: str) -> dict[str, Any]:
    mark = uuid.uuid4().hex[:6]
    title, source = f"{content['title']} {mark}", f"{shipped}_rows_{mark}"
    return renamed(content, problem=f"{shipped}_{mark}", title=title, source=source)
