"""`kill -9` of every process that matters, one after the other, on a whole stack of its own."""

import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from infra.stack.status import look
from millrace.settings import get_settings
from tests.infra import small_stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
# A service, and which of its processes: its own, or a child by name.
VICTIMS = [
    ("postgres", None),
    ("minio", None),
    ("source_database", None),
    ("kafka", None),
    ("kafka_connect", None),
    ("connectors", None),
    ("spark", None),
    ("ray", None),
    ("ray", "gcs_server"),
    ("ray", "raylet"),
    ("mlflow", None),
    ("mlflow", "python"),
    ("airflow_api", None),
    ("airflow_scheduler", None),
    ("airflow_dags", None),
    ("airflow_triggerer", None),
    ("serving_1", None),
]


@pytest.fixture(scope="module")
def whole_stack(module_environment: pytest.MonkeyPatch) -> Iterator[None]:
    module_environment.setenv("MILLRACE_ENV_FILE", str(small_stack.HOME / ".env"))
    get_settings.cache_clear()
    with small_stack.fresh():
        small_stack.settings()  # makes the env file before a service is told of it
        small_stack.up(*(state.service.name for state in look(small_stack.settings())))
        yield
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def module_environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.usefixtures("whole_stack")
@pytest.mark.parametrize(("service", "child"), VICTIMS, ids=lambda part: part or "itself")
def test_it_heals(service: str, child: str | None) -> None:
    small_stack.wait_for(lambda: not ill(), "the stack is well before", seconds=240)
    victim = process_of(service, child)
    os.kill(victim.pid, signal.SIGKILL)
    small_stack.wait_for(lambda: not victim.is_running() or victim.status() == "zombie", "it is dead")
    small_stack.wait_for(lambda: not ill() and process_of(service, child) != victim, f"{service} is well", seconds=240)


def ill() -> list[str]:
    return [f"{state.service.name}: {state.missing}" for state in look(small_stack.settings()) if not state.healthy]


def process_of(service: str, child: str | None) -> psutil.Process | None:
    """The living process, or None while there is none."""
    pid = {state.service.name: state.pid for state in look(small_stack.settings())}[service]
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        if child is None:
            return process
        family = [member for member in process.children(recursive=True) if member.name() == child]
    except psutil.Error:
        return None
    return family[0] if family else None
