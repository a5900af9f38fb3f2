"""Tables of generated rows: bronze as ingestion leaves it, silver as a first transform does; and copies of them."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps import recorded
from millrace.steps.bronze_table import PARTITION, SCHEMA
from millrace.steps.derived_tables import ensure_quarantine, ensure_silver
from spark_jobs.bronze_rows import file_rows, judged_rows
from spark_jobs.fenced_write import Target
from spark_jobs.silver import write_silver
from spark_jobs.transforms.casting import SPARK_TYPES

ROWS_A_FILE = 1_000_000
LANDED = 1_770_000_000
"""When the first batch landed, seconds since 1970; a later one landed as many seconds later as its number says."""


def raw_rows(numbered: DataFrame, fields: Mapping[str, str], *, batch: int, assigned_key: str = "NULL") -> DataFrame:
    """Rows as bronze holds them: text, one map of fields a row.

    Args:
        numbered: `id`, the number of each row, and whatever else the expressions read.
        fields: Column → SQL of its text.
        batch: The number of the landing.
    """
    told = ", ".join(f"'{name}', {text}" for name, text in fields.items())
    columns = {
        "record": "'row'",
        "path": f"concat('generated/{batch}-', CAST(id DIV {ROWS_A_FILE} AS STRING), '.csv')",
        "etag": f"'{batch}'",
        "size": "0L",
        "last_modified": f"timestamp_seconds({LANDED + batch})",
        "status": "CAST(NULL AS STRING)",
        "detail": "CAST(NULL AS STRING)",
        "rows": "CAST(NULL AS BIGINT)",
        "row_number": f"1 + id % {ROWS_A_FILE}",
        "fields": f"map({told})",
        "malformed": "CAST(NULL AS STRING)",
        "raw": "CAST(NULL AS STRING)",
        "assigned_key": f"CAST({assigned_key} AS STRING)",
        "ingested_at": "current_timestamp()",
        "run_id": "'bench'",
    }
    return numbered.selectExpr(*(f"{sql} AS {name}" for name, sql in columns.items()))


def land(problem: Problem, raw: DataFrame) -> int:
    """Let bronze hold rows, in one commit; its snapshot."""
    table = names.bronze_files(problem.source_name)
    lake.ensure_table(table, SCHEMA, PARTITION)
    raw.writeTo(table).append()
    head = lake.head(table)
    assert head is not None
    return head.snapshot_id


def settle(spark: SparkSession, problem: Problem, raw: DataFrame) -> None:
    """Let silver hold the rows that are valid, as a first transform writes them, and bronze be read up to here."""
    bronze_snapshot = land(problem, raw.limit(0))
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    ensure_quarantine(problem)
    branch = lake.cut_branch(ensure_silver(problem), "seed")
    properties = {
        lake.BRANCH_PROPERTY: branch.name,
        recorded.BRONZE_SNAPSHOT: str(bronze_snapshot),
        recorded.CONTRACT_HASH: problem.contract_hash(),
        recorded.REJECTED_FILES: "",
        recorded.CHANGED_SEQ: "1",
    }
    judged = judged_rows(file_rows(raw, problem.source), problem).persist()
    target = Target(branch.table, branch.name, branch.base, properties)
    write_silver(
        spark,
        problem,
        judged,
        target,
        every_version=lambda: judged,
        quarantined=None,
        following=None,
        sequence=1,
        empty=True,
        rebuild=False,
    )
    judged.unpersist()
    lake.publish(branch)


def copy_files(table: str, folder: Path, where: str | None = None) -> str:
    """Copy the Parquet files of a table's main to a local folder; the pattern that names them."""
    loaded = lake.catalog().load_table(table)
    folder.mkdir(parents=True)
    scan = loaded.scan() if where is None else loaded.scan(row_filter=where)
    for number, task in enumerate(scan.plan_files()):
        assert not task.delete_files, "the other engines know no delete files"
        with loaded.io.new_input(task.file.file_path).open() as stream, (folder / f"{number}.parquet").open("wb") as to:
            shutil.copyfileobj(stream, to, 1 << 22)
    return str(folder / "*.parquet")


def plain_append(spark: SparkSession, problem: Problem, *, after: int, until: int, table: str, told: bool) -> None:
    """What nobody could do less: cast the fields of a span of bronze, and write them to a new table.

    Args:
        told: Whether it tells as much of a row as silver does: its key, where it came from, and by which contract.
    """
    columns = problem.source.columns.items()
    chosen = [f"try_cast(fields['{name}'] AS {SPARK_TYPES[column.type]}) AS {name}" for name, column in columns]
    if told:
        position = (
            "struct(0 AS input_rank, '' AS epoch, unix_micros(last_modified) AS major, path, row_number AS minor)"
        )
        (key,) = problem.source.primary_key
        chosen += [
            f"concat('[\"', fields['{key}'], '\"]') AS row_key",
            f"try_cast(fields['{problem.source.event_timestamp}'] AS timestamp) AS event_timestamp",
            *(f"{position} AS {name}_position" for name in ("first", "last", "label")),
            "1L AS changed_seq",
            "false AS deleted",
            "CAST(NULL AS timestamp) AS stale_since",
            f"'{problem.contract_hash()}' AS contract_hash",
            "path AS source_file",
        ]
    span = spark.read.option("start-snapshot-id", after).option("end-snapshot-id", until)
    rows = span.table(names.bronze_files(problem.source_name)).where("record = 'row'").selectExpr(*chosen)
    rows.writeTo(table).using("iceberg").create()
