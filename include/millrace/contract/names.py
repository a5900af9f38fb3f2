"""Every name that is derived from a problem or a source: tables, prefixes, assets, DAGs. One word for one thing."""

import re

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,39}")

RESERVED_COLUMNS = frozenset(
    [
        "row_key",
        "first_position",
        "last_position",
        "label_position",
        "counts_from",
        "newest_change",
        "first_early",
        "changed_seq",
        "deleted",
        "stale_since",
        "contract_hash",
        "source_file",
        "gold_seq",
        "gold_snapshot_id",
        "loaded_at",
    ]
)
"""Columns that Millrace adds to silver, gold and the warehouse; a source may not use them."""

POSTGRES_COLUMNS = frozenset(["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"])
"""Columns that every Postgres table has already; the serving table could not be created with one of them."""

STAGES = {
    "extract": "0 Extract",
    "ingest_files": "1 Ingest files",
    "ingest_changes": "2 Ingest changes",
    "transform": "3 Transform",
    "train": "5 Train",
    "deploy": "6 Deploy",
}
"""Stage → its title in the Airflow UI. Numbers left out: materialize (4) and monitor (7)."""


def dag_id(problem: str, stage: str) -> str:
    return f"{problem}__{stage}"


def dag_title(problem_title: str, stage: str) -> str:
    return f"{problem_title} · {STAGES[stage]}"


def bronze_files(source: str) -> str:
    """The Iceberg table of the raw rows that came in files."""
    return f"bronze.{source}_files"


def bronze_changes(source: str) -> str:
    """The Iceberg table of the changes that came from the source database."""
    return f"bronze.{source}_changes"


def silver(source: str) -> str:
    return f"silver.{source}"


def quarantine(source: str) -> str:
    return f"quarantine.{source}"


def gold(problem: str) -> str:
    return f"gold.{problem}"


def serving_table(problem: str) -> str:
    """The table of the Postgres schema `warehouse` that holds the newest gold row of each key."""
    return f"serving_{problem}"


def dimension_table(dimension: str) -> str:
    """The table of the schema `warehouse` with the members of a dimension."""
    return f"dim_{dimension}"


def fact_table(fact: str) -> str:
    """The table of the schema `warehouse` with a row for each row of silver, which points at dimensions."""
    return f"fact_{fact}"


def observed_table(problem: str) -> str:
    """The table of the schema `warehouse` with what each row said of the dimensions, from which they are made."""
    return f"observed_{problem}"


def landing_asset(source: str) -> str:
    return f"landing/{source}"


def extracted_file(problem: str, number: int) -> str:
    """The name, under the landing prefix, of what an extract landed; extracts of a problem are numbered from 1 on."""
    return f"extract-{problem}-{number:08d}.parquet"


def changes_asset(source: str) -> str:
    return f"changes/{source}"


def bronze_asset(source: str) -> str:
    return f"bronze/{source}"


def gold_asset(problem: str) -> str:
    return f"gold/{problem}"


def candidate_asset(problem: str) -> str:
    return f"candidate/{problem}"


def champion_asset(problem: str) -> str:
    return f"champion/{problem}"


def change_topic(problem: str, table: str) -> str:
    """The Kafka topic of a table's changes, as Debezium calls it; `table` is schema.table."""
    return f"{problem}.{table}"


def connector(problem: str) -> str:
    """The connector of a problem; its slot and its publication in the source database are called alike."""
    return f"millrace_{problem}"


def heartbeat_table(problem: str) -> str:
    """The table of the source database that the connector writes to, so that its slot moves when nothing else does."""
    return f"millrace.{problem}_heartbeat"


def signal_table(problem: str) -> str:
    """The table of the source database by which the connector is told to do something, such as a new snapshot."""
    return f"millrace.{problem}_signal"


def notification_topic(problem: str) -> str:
    """The Kafka topic in which the connector tells how far a snapshot is."""
    return f"{problem}.notifications"


WAREHOUSE = "warehouse"
"""What the warehouse's connector is named after, as others are after their problem: no problem may be called so."""


def published_topic(problem: str) -> str:
    """The Kafka topic of a problem's published gold rows, as Debezium calls it."""
    return f"{WAREHOUSE}.warehouse.{serving_table(problem)}"


CONNECTOR_REQUESTS = "millrace.connector_requests"
"""The table by which the keeper of the connectors is asked to begin anew, or to forget: of the source database, and of
the warehouse for its own connector."""


def asset_uri(asset: str) -> str:
    return f"millrace://{asset}"


def attempt_branch(*parts: str | int) -> str:
    """An Iceberg branch name of one task attempt; the same parts give the same name.

    Characters that Iceberg's SQL would need quoted are replaced.
    """
    return "attempt_" + "_".join(re.sub(r"[^A-Za-z0-9]+", "_", str(part)) for part in parts)


def run_key(run_id: str) -> str:
    """A key for the files of one training run, from the Airflow run id; the same id gives the same key."""
    return re.sub(r"[^A-Za-z0-9]+", "_", run_id).strip("_")


def run_report(problem: str, stage: str, run_key: str, kind: str = "html") -> str:
    """The key, within the reports bucket, of the page of one run; with kind `json`, of the record it is made from."""
    return f"runs/{problem}/{stage}/{run_key}.{kind}"


def data_docs(problem: str, layer: str, run_id: str) -> str:
    """The folder, within the reports bucket, of what a check of `layer` (silver or gold) found in one run."""
    return f"data-docs/{problem}/{layer}/{re.sub(r'[^A-Za-z0-9.-]+', '_', run_id)}"


def training_tag(run_key: str) -> str:
    """The Iceberg tag that keeps the gold snapshot of one training run."""
    return f"trained_{run_key}"


LOCK_OF_WAREHOUSE_SCHEMA = 7_265_002
"""Postgres advisory lock in the warehouse database of who makes the schema, its ledgers or its publication: two
transactions that make the same at once would both fail. Any fixed number does."""
LOCK_OF_DELETION = 7_265_003
"""Postgres advisory lock in the warehouse database: shared by whoever deletes files that were once part of a table,
alone by a backup, which copies the catalog first and the files that it names after."""
