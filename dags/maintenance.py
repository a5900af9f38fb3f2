"""Airflow DAG that keeps the lake small: every night each table is compacted, and what nobody needs any more goes."""

from typing import Any, cast

from airflow.sdk import Param, dag, get_current_context, task

from millrace.orchestration.attempts import this_attempt
from millrace.orchestration.defaults import TASK_TIMEOUT, task_defaults
from millrace.orchestration.problems import valid_problems
from millrace.orchestration.tasks import check_connection, spark_step

Facts = dict[str, Any]
NIGHT_HOUR = 3
"""UTC; in all other hours it is about tables of changes alone."""
DOC = """### Maintenance
Every night, for each table of each problem: small files are written anew as fewer larger ones, snapshots that nobody
needs expire, files that no snapshot knows are deleted, and rows, check reports and stored predictions older than the
contract's `retention` go. Tables of changes get a snapshot with each ingestion: it is their turn every hour. No row of
silver or gold changes; tagged snapshots, and whatever a stage goes on from, stay. A table that is being written is left
for the next time.

**By hand:** `tables`: maintain only these, such as `silver.loan_applications`.
"""


def is_for_all() -> bool:
    """Whether this run is that of the night, or somebody's."""
    run = cast("Any", get_current_context()["dag_run"])
    return str(run.run_type) != "scheduled" or run.run_after.hour == NIGHT_HOUR


@dag(
    dag_id="maintenance",
    dag_display_name="Maintenance",
    schedule="17 * * * *",
    doc_md=DOC,
    default_args=task_defaults("millrace"),
    tags=["stage:maintenance"],
    params={"tables": Param([], type="array", items={"type": "string"}, description="Only these tables; empty: all.")},
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
)
def maintenance() -> None:
    @task
    def list_tables() -> list[dict[str, str]]:
        from millrace.steps.lake_tables import chosen_tables, lake_tables, tables_of_changes
        from millrace.steps.sweep_branches import sweep_branches

        # Left behind by a killed attempt, a branch looks like a writer to whom maintenance gives way.
        sweep_branches(valid_problems(), older_than_seconds=2 * TASK_TIMEOUT.total_seconds())
        among = lake_tables if is_for_all() else tables_of_changes
        return chosen_tables(valid_problems(), get_current_context()["params"]["tables"], among=among)

    # One table at a time: the other slot of the pool stays free for those who wait for new rows.
    @spark_step(max_active_tis_per_dagrun=1, map_index_template="{{ table_shown }}")
    def maintain_table(problem: str, table: str, spark: object = None) -> Facts:
        from millrace.contract.loading import get_problem
        from millrace.settings import get_settings
        from millrace.steps.maintain_table import maintain_table

        cast("Facts", get_current_context())["table_shown"] = table
        contract = get_problem(problem, get_settings().problems_dir)
        return maintain_table(spark, contract, table, attempt=this_attempt()["attempt"])

    @task
    def remove_old_reports() -> list[Facts]:
        from millrace.steps.remove_old_reports import remove_old_reports

        return [remove_old_reports(problem) for problem in valid_problems()] if is_for_all() else []

    @task
    def remove_old_predictions() -> list[Facts]:
        from millrace.steps.remove_old_predictions import remove_old_predictions

        return [remove_old_predictions(problem) for problem in valid_problems()] if is_for_all() else []

    @task(trigger_rule="none_failed")
    def tell_what_it_freed(maintained: list[Facts], reports: list[Facts], predictions: list[Facts]) -> Facts:
        from millrace.steps.freed import tell_what_it_freed

        return tell_what_it_freed(maintained, reports, predictions)

    tables, reports, predictions = list_tables(), remove_old_reports(), remove_old_predictions()
    check_connection("object_store", "lake", "warehouse") >> [tables, reports, predictions]
    tell_what_it_freed(maintain_table.expand_kwargs(tables), reports, predictions)


maintenance()
