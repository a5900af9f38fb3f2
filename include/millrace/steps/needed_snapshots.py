"""Up to which snapshot each reader of a table has taken it in: expiry must leave it the way from there to the head."""

from millrace.adapters import lake, warehouse
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps.lineage import bronze_of_gold
from millrace.steps.recorded import BRONZE_SNAPSHOT, of_gold, recorded


def needed_snapshots(problem: Problem, table: str) -> set[int | None]:
    """The snapshot of each reader; None for one that has taken in nothing yet."""
    for source in problem.sources:
        if table in (names.bronze_files(source), names.bronze_changes(source)):
            readers = (names.silver(source), names.quarantine(source))
            seen = [recorded(reader, BRONZE_SNAPSHOT).bronze for reader in readers]
            # Of a batch that the check of gold refuses, the files are told that came after gold's.
            in_gold = bronze_of_gold(problem)
            if table == names.bronze_changes(source):
                return {one.changes for one in seen} | ({in_gold.changes} - {None})
            return {one.files for one in seen} | ({in_gold.files} - {None})
        if table == names.silver(source):
            return {of_gold(problem).upstream}
    if table == names.gold(problem.problem):
        # Whoever reads gold with another tool is told to read what the warehouse was loaded from.
        loaded = warehouse.loaded(problem.problem)
        known = loaded is not None and loaded.gold_table_uuid == lake.table_uuid(table)
        return {loaded.gold_snapshot_id} if loaded and known else set()
    return set()
