"""Each drill on a running Airflow: the promise holds, and nothing of the drill is left (`make test-faults`)."""

import pytest
from rich.console import Console

from millrace.adapters import lake
from millrace.adapters.airflow_api import AirflowApi
from millrace.adapters.object_store import list_objects
from millrace.drills.run import DRILLS, run_drill
from millrace.drills.scene import PREFIX, left_behind
from millrace.settings import get_settings

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3_000)]


@pytest.mark.parametrize("name", DRILLS)
def test_the_promise_of_a_drill_holds_and_nothing_is_left(name: str, airflow: AirflowApi) -> None:
    assert run_drill(name, Console(width=200)) == 0
    assert left_behind() == []
    tables = [
        table for layer in ("bronze", "silver", "quarantine", "gold") for _, table in lake.catalog().list_tables(layer)
    ]
    assert [table for table in tables if table.startswith(PREFIX)] == []
    assert list_objects(get_settings().landing_bucket, PREFIX) == []
