"""What the contract in the problem file would do to the tables, the champion and its callers. Nothing is written."""

from dataclasses import dataclass
from math import ceil

from pyspark.sql import DataFrame, SparkSession

from millrace.adapters import champions, lake, package_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.batches import FileCount, Landing, over_limit
from millrace.domain.package import Package, open_package
from millrace.domain.planning import (
    ColumnChanges,
    KeyChange,
    RequestChange,
    column_changes,
    key_changes,
    request_changes,
)
from millrace.steps import recorded
from millrace.steps.contract_in_force import in_force, is_applied
from millrace.steps.derived_tables import gold_schema, silver_schema
from millrace.steps.evaluate_candidate import why_incomparable
from millrace.steps.refused_batches import landings, rejected_files
from spark_jobs.bronze_rows import broken, judged_rows, not_of, read_rows
from spark_jobs.compare import Compared, compare
from spark_jobs.fenced_write import read_at
from spark_jobs.receipt import receipt
from spark_jobs.silver import count_living


@dataclass(frozen=True)
class RowChanges:
    """What becomes of the rows that silver was made of."""

    read: int
    compared: Compared
    silver_before: int
    silver_after: int
    over_limit: list[FileCount]
    """Files of which too many rows would be quarantined: the check will refuse the rebuild."""
    too_few: str
    """Why the check will find too few rows; empty if it will not."""
    files_since: int
    """Files of bronze that silver has not taken in; the rebuild takes them, too."""


@dataclass(frozen=True)
class Serving:
    """The champion, and what a version of the contract to come would change for its callers."""

    version: int
    incomparable: str
    """Why the champion cannot be compared with candidates on the gold to come; empty if it can."""
    callers: list[RequestChange]


@dataclass(frozen=True)
class Plan:
    """What applying the contract would do."""

    problem: str
    tables: tuple[str, ...]
    """The tables that are built again; none if nothing changed."""
    applied: bool
    keys: list[KeyChange] | None
    """None where the contract in force was not recorded."""
    columns: dict[str, ColumnChanges]
    rows: RowChanges | None
    """None where silver stays as it is."""
    serving: Serving | None


def plan_contract(spark: SparkSession, problem: Problem) -> Plan:
    """Judge every row that silver was made of by the contract of the problem file, and compare."""
    source_name = problem.source_name
    silver = recorded.recorded(names.silver(source_name), recorded.BRONZE_SNAPSHOT)
    gold = recorded.of_gold(problem)
    silver_changes = silver.contract_hash not in (None, problem.contract_hash())
    gold_changes = gold.contract_hash not in (None, problem.gold_hash())
    tables = [names.quarantine(source_name), names.silver(source_name)] if silver_changes else []
    before = in_force(problem)
    champion = _champion(problem)
    known = Problem.model_validate(before.contract) if before else None
    if known is None and champion and champion[1].problem.contract_hash() == silver.contract_hash:
        known = champion[1].problem  # trained on tables that were written before contracts were recorded
    return Plan(
        problem=problem.problem,
        tables=(*tables, *([names.gold(problem.problem)] if gold_changes or silver_changes else [])),
        applied=is_applied(problem),
        keys=key_changes(known, problem) if known else None,
        columns=_columns(problem),
        rows=_rows(spark, problem, known, silver) if silver_changes else None,
        serving=_serving(problem, *champion) if champion else None,
    )


def _columns(problem: Problem) -> dict[str, ColumnChanges]:
    wanted = {
        names.silver(problem.source_name): silver_schema(problem.source),
        names.gold(problem.problem): gold_schema(problem),
    }
    found = {}
    for table, schema in wanted.items():
        there = lake.column_types(table)
        kinds = {field.name: str(field.field_type) for field in schema.fields}
        kinds = {name: kind if not kind.startswith("struct") else "struct" for name, kind in kinds.items()}
        if there and (changes := column_changes(there, kinds)):
            found[table] = changes
    return found


def _rows(spark: SparkSession, problem: Problem, known: Problem | None, silver: recorded.Recorded) -> RowChanges | None:
    bronze = lake.head(names.bronze_files(problem.source_name))
    if silver.upstream is None or bronze is None:
        return None
    rejected = rejected_files(problem)
    read = read_rows(spark, problem, until=silver.bronze, following=silver.following, without=rejected).persist()
    try:
        judged = judged_rows(read, problem)
        counts = receipt(judged)
        quarantined: DataFrame | None
        if known is not None:
            # Not the quarantine table: it keeps rows for a time only.
            earlier = read_rows(spark, known, until=silver.bronze, following=silver.following, without=rejected)
            quarantined = broken(judged_rows(earlier, known))
        else:
            quarantined = _quarantined(spark, problem, str(silver.contract_hash), rejected)
        compared = compare(judged, quarantined)
        after = count_living(problem, judged, silver.following)
    finally:
        read.unpersist()
    before = lake.count(names.silver(problem.source_name), where="deleted == false")
    return RowChanges(
        read=counts.rows_read,
        compared=compared,
        silver_before=before,
        silver_after=after,
        over_limit=over_limit(counts.by_file, problem.source.quality.max_quarantined_share),
        too_few=_too_few(problem, before, after),
        files_since=len(landings(problem, bronze.snapshot_id) - landings(problem, silver.upstream) - rejected),
    )


def _quarantined(
    spark: SparkSession, problem: Problem, contract_hash: str, rejected: frozenset[Landing]
) -> DataFrame | None:
    table = names.quarantine(problem.source_name)
    head = lake.head(table)
    if head is None:
        return None
    rows = read_at(spark, table, head.snapshot_id).where(f"contract_hash = '{contract_hash}'")
    return not_of(spark, rejected, rows, landed="position.major")


def _too_few(problem: Problem, before: int, after: int) -> str:
    quality = problem.source.quality
    kept = ceil(before * (1 - quality.max_row_count_drop))
    if after < quality.min_rows:
        return f"rows:min_rows: {after}, at least {quality.min_rows}"
    return f"rows:max_row_count_drop: {after}, at least {kept}" if after < kept else ""


def _champion(problem: Problem) -> tuple[int, Package] | None:
    champion = champions.current(problem.problem)
    return (champion.version, open_package(package_store.get(champion.uri))) if champion else None


def _serving(problem: Problem, version: int, package: Package) -> Serving:
    return Serving(version, why_incomparable(version, package, problem), request_changes(package.problem, problem))
