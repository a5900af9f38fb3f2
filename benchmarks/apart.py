"""Work in a process of its own: only so are its memory and its seconds its own."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Apart(Generic[Answer]):
    """What came of it. `seconds` without the start of the process; `peak_mib` with it."""

    answer: Answer
    seconds: float
    peak_mib: float


def apart(work: Callable[..., Answer], *arguments: Any) -> Apart[Answer]:
    """Do some work in a new process, whose imports are not measured."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, work, arguments).result()


def _measured(work: Callable[..., Answer], arguments: tuple[Any, ...]) -> Apart[Answer]:
    began = time.perf_counter()
    answer = work(*arguments)
    seconds = time.perf_counter() - began
    return Apart(answer, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
