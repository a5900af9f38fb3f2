"""Nothing of a drill's problem stays: runs, landed files, tables, reports, models, file, DAGs, what followed a table.

Only what is append-only stays: steps of versions and batches in the control tables, under a name that does not return.
"""

import time
from pathlib import Path

from millrace.adapters import (
    champions,
    keeper_report,
    lake,
    object_store,
    prediction_tables,
    registry,
    replica_reports,
    source_database,
    topics,
    warehouse,
)
from millrace.adapters.airflow_api import AirflowApi
from millrace.adapters.deletion import deletion_allowed
from millrace.adapters.lake.upkeep import folder
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.simulation import live
from millrace.steps.lake_tables import lake_tables

PATIENCE_SECONDS = 120
LOOK_SECONDS = 1.0
AT_WORK = ("running", "queued", "restarting")


def clear(problem: Problem, path: Path, airflow: AirflowApi) -> None:
    """Remove a problem and all that came of it. Harmless when some of it is gone.

    Args:
        path: Its file, which goes after the data: what a killed drill left can be found by it.
    """
    dags = [dag_id for stage in names.STAGES if airflow.knows(dag_id := names.dag_id(problem.problem, stage))]
    for dag_id in dags:
        airflow.pause(dag_id)
    for dag_id in dags:
        _end_runs(dag_id, airflow)
    # Asked before the file goes, and answered after: killed in between, the keeper forgets it all the same.
    request = source_database.ask_forget(problem.problem) if problem.change_table else None
    _remove_data(problem)
    path.unlink(missing_ok=True)
    if request is not None:
        _await_forgotten(problem, request)
        live.drop_table(problem)
    topics.delete_all(problem.problem)
    for dag_id in dags:
        airflow.forget(dag_id)


def _end_runs(dag_id: str, airflow: AirflowApi) -> None:
    # A task that still runs would make anew the tables that are dropped below.
    deadline = time.monotonic() + PATIENCE_SECONDS
    runs = airflow.unfinished(dag_id)
    for run in runs:
        airflow.end(run)
    while any(task.state in AT_WORK for run in runs for task in airflow.tasks(run)):
        if time.monotonic() > deadline:
            return  # Its tables come back, empty, and the next drill finds no file of it: told by `millrace status`.
        time.sleep(LOOK_SECONDS)


def _await_forgotten(problem: Problem, request: str) -> None:
    """Wait until the keeper has removed connector, slot, publication and tables.

    Raises:
        MillraceError: If it does not.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while source_database.answer(request) is None:
        if time.monotonic() > deadline:
            raise MillraceError(
                f"The connector of {problem.problem} was not removed",
                place=f"request {request} in {names.CONNECTOR_REQUESTS} of the source database",
                found=keeper_report.missing(problem.problem) or "no answer",
                expected=f"an answer of the service connectors within {PATIENCE_SECONDS} s",
                fix="`make status` and `make logs SERVICE=connectors` say more; the request stays, and is done when it"
                f" can be; then drop table {problem.change_table} of the source database",
            )
        time.sleep(LOOK_SECONDS)


def _remove_data(problem: Problem) -> None:
    name, settings = problem.problem, get_settings()
    champion = champions.current(name)
    if champion is not None:
        champions.withdraw(name, expected_generation=champion.generation, actor="drill", reason="the drill is over")
    replica_reports.forget(name)
    with deletion_allowed():
        for table in filter(lake.table_exists, lake_tables(problem)):
            bucket, prefix = folder(table)
            lake.drop_table(table)
            # Metadata that the table's newest no longer names stays behind otherwise.
            object_store.delete_prefix(bucket, prefix)
    with warehouse.connect() as connection:
        warehouse.forget(connection, name)
        prediction_tables.drop(connection, name)
    object_store.delete_prefix(settings.landing_bucket, problem.landing_prefix)
    object_store.delete_prefix(settings.models_bucket, f"{name}/")
    for pages in ("runs", "data-docs"):
        object_store.delete_prefix(settings.reports_bucket, f"{pages}/{name}/")
    registry.forget(name)
