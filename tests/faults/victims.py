"""Processes of their own that run a step, so that a test can kill them, or give them another environment."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from typing import ParamSpec, TypeVar

import pytest

PATIENCE_SECONDS = 300
_SPAWN = get_context("spawn")  # a fork would share connections with this process
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@contextmanager
def a_victim(
    step: Callable[Parameters, object], *arguments: Parameters.args, **more: Parameters.kwargs
) -> Iterator[SpawnProcess]:
    """A process that runs a step until it ends or the block does."""
    process = _SPAWN.Process(target=step, args=arguments, kwargs=more)
    process.start()
    try:
        yield process
    finally:
        kill(process)


def kill(process: SpawnProcess) -> None:
    """`kill -9`, and wait until it is dead."""
    process.kill()
    process.join()


@contextmanager
def with_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """Whatever starts within the block has these variables. This process has read its settings already."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        yield


class Elsewhere:
    """A process with an environment of its own, which runs one function after the other."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def run(self, step: Callable[Parameters, Result], *arguments: Parameters.args, **more: Parameters.kwargs) -> Result:
        """What the function returns there, or raises."""
        return self._pool.submit(step, *arguments, **more).result(PATIENCE_SECONDS)


@contextmanager
def elsewhere(environment: Mapping[str, str]) -> Iterator[Elsewhere]:
    """Such a process."""
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as pool:
        with with_environment(environment):
            pool.submit(os.getpid).result(PATIENCE_SECONDS)
        yield Elsewhere(pool)
