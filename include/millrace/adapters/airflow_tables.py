"""Airflow's own tables, for what its API does not do: the drill that loses an event. No stage calls this."""

import psycopg

from millrace.settings import get_settings


def lose_events(asset: str) -> list[int]:
    """Delete every event of an asset, and the runs that are queued for them.

    Returns:
        The ids of the events that were in the table `asset_event`; empty where there was none.
    """
    with psycopg.connect(get_settings().postgres_dsn("airflow"), connect_timeout=5) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM asset WHERE name = %s", [asset])]
        connection.execute("DELETE FROM asset_dag_run_queue WHERE asset_id = ANY(%s)", [ids])
        query = "DELETE FROM asset_event WHERE asset_id = ANY(%s) RETURNING id"
        return sorted(row[0] for row in connection.execute(query, [ids]))
