"""Each drill on a running Airflow: the promise holds, and nothing of the drill is left (`make test-faults`)."""

import pytest
from confluent_kafka.admin import AdminClient
from rich.console import Console

from infra.connectors import registration, rest
from infra.services import postgres_server, source_database
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
    assert left_of_changes() == []


def left_of_changes() -> list[str]:
    """Connectors, topics, and what is in the source database, of problems of drills."""
    settings = get_settings()
    found = [*rest.call(settings, "GET", "/connectors")]
    found += AdminClient({"bootstrap.servers": settings.kafka_servers, "log_level": 0}).list_topics(timeout=30).topics
    queries = (
        "SELECT slot_name FROM pg_replication_slots",
        "SELECT pubname FROM pg_publication",
        "SELECT relname FROM pg_class WHERE relkind = 'r'",
    )
    with postgres_server.connect(source_database.SERVER, settings, source_database.DATABASE) as connection:
        found += [row[0] for query in queries for row in connection.execute(query)]
    found += [path.name for path in registration.folder(settings).glob("*.json")]
    return [name for name in found if PREFIX in name]
