"""What every test and benchmark gets: the environment of the tests' own stack, and that stack where it is needed.

`MILLRACE_KEEP_STACK=1` leaves the stack running at the end, which makes the next session start in a second.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

from millrace.settings import ROOT
from tests import own_stack

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from millrace.adapters.airflow_api import AirflowApi

REAL_DATA = ROOT.parent / "shared" / "data"
# Not passed on: a service whose environment changes is started anew.
KEEP_STACK = bool(os.environ.pop("MILLRACE_KEEP_STACK", ""))

own_stack.enter()

# The same examples in every session, however slow the machine: a red run is red again. `--hypothesis-profile=explore`
# draws new ones.
SLOW_IS_NO_FAULT = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("explore", **SLOW_IS_NO_FAULT)
hypothesis.settings.register_profile("same", derandomize=True, **SLOW_IS_NO_FAULT)
hypothesis.settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The size of the test that strikes at random (`make nemesis N=100`)."""
    parser.addoption("--rounds", type=int, default=3, help="rounds of random kills")
    parser.addoption("--first-seed", type=int, default=0, help="seed of the first round; each round has its own")


@pytest.fixture(scope="module")
def spark() -> "Iterator[SparkSession]":
    """A Spark Connect session for the tests of one file: a test elsewhere may kill the server."""
    from millrace.adapters import connect

    with connect.session() as session:
        yield session


@pytest.fixture(scope="module")
def airflow() -> "Iterator[AirflowApi]":
    """Airflow's four processes, for the tests of one file."""
    from millrace.adapters.airflow_api import AirflowApi

    own_stack.clear_problems()
    own_stack.start(airflow=True)
    try:
        yield AirflowApi()
    finally:
        own_stack.stop_airflow()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # Here and not in a fixture: fixtures of wider scope, which use the stack too, would come first.
    if item.get_closest_marker("realdata") and not REAL_DATA.is_dir():
        pytest.skip(f"the real CSV files are not in {REAL_DATA}")
    if not own_stack.was_used() and any(item.get_closest_marker(mark) for mark in ("stack", "faults")):
        own_stack.start()


def pytest_sessionfinish() -> None:
    if not KEEP_STACK:
        own_stack.stop()
