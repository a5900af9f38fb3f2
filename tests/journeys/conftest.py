"""Airflow itself, for journeys: its four processes run while a module needs them."""

from collections.abc import Iterator

import pytest

from millrace.adapters.airflow_api import AirflowApi
from tests import own_stack


@pytest.fixture(scope="module")
def airflow() -> Iterator[AirflowApi]:
    own_stack.clear_problems()
    own_stack.start(airflow=True)
    try:
        yield AirflowApi()
    finally:
        own_stack.stop_airflow()
