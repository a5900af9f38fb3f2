"""Levels: what is recorded on one side of a stage, against what is there on the other.

Each function says in words why its stage is behind, or None. An event may get lost; a level shows until it is served.
"""

import time
from collections.abc import Callable

from millrace.adapters import extracts, lake, star, warehouse
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps import recorded
from millrace.steps.bronze_table import ROWS, RUN_ID
from millrace.steps.change_backlog import firing
from millrace.steps.contract_in_force import is_applied, is_changed, way_out
from millrace.steps.derived_tables import has_its_columns
from millrace.steps.landed_files import new_files
from millrace.steps.load_star import star_of
from millrace.steps.pending_models import pending_deploy, pending_train
from millrace.steps.refused_batches import Stage, rejected_digest, rejected_files, waiting


def pending_extract(problem: Problem) -> str | None:
    """A table was never looked at. When it is looked at again is for its schedule to say."""
    if problem.source.extract is None or extracts.last_look(problem.problem) is not None:
        return None
    return f"{problem.extract_table} was never read"


def pending_ingest_files(problem: Problem) -> str | None:
    """Files have landed that bronze does not know."""
    found = new_files(problem)
    if not found:
        return None
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0].path}{more} landed and not ingested"


def pending_ingest_changes(problem: Problem) -> str | None:
    """Messages wait in a topic that bronze does not hold: so many, or for so long, that they are to be taken in.

    In words that stay the same until some are: how many wait, and for how long, is `millrace status` to say.
    """
    found = firing(problem, now=time.time()) if problem.topics else None
    return found.level if found else None


def pending_transform(problem: Problem) -> str | None:
    """Silver is behind bronze or the contract, gold behind silver, or the warehouse behind gold or silver."""
    if is_changed(problem) and not is_applied(problem):
        return f"the contract changed, and waits: {way_out(problem)}"
    # Every reason counts: a batch that waits in silver must not hide that gold is behind for another one.
    looks = (_silver_behind, _gold_behind, _warehouse_behind, _star_behind)
    return "; ".join(why for look in looks if (why := look(problem))) or None


PENDING: dict[str, Callable[[Problem], str | None]] = {
    "extract": pending_extract,
    "ingest_files": pending_ingest_files,
    "ingest_changes": pending_ingest_changes,
    "transform": pending_transform,
    "train": pending_train,
    "deploy": pending_deploy,
}
"""Stage → why it is behind."""


def _silver_behind(problem: Problem) -> str | None:
    bronze = names.bronze_files(problem.source_name)
    silver = recorded.of_silver(problem)
    if undecided := _refused(problem, "silver", silver):
        return undecided
    if silver.rejected_files != rejected_digest(problem, rejected_files(problem), silver.upstream):
        return f"silver holds rows of files that were rejected since, so it is built again from {bronze}"
    changes = names.bronze_changes(problem.source_name)
    behind = []
    if newer := _rows_since(bronze, silver.upstream, ROWS):
        # Each rejection is another reason to start, so the words must tell it.
        aside = f", {len(rejected)} files of it are rejected" if (rejected := rejected_files(problem)) else ""
        behind.append(f"{newer} rows of {bronze} are not in silver{aside}")
    if newer := _rows_since(changes, silver.changes, "added-records"):
        behind.append(f"{newer} messages of {changes} are not in silver")
    if behind:
        return "; ".join(behind)
    if silver.contract_hash not in (None, problem.contract_hash()):
        return "the contract changed since silver was written"
    return None if has_its_columns(problem) else "this version of Millrace gives silver other columns"


def _rows_since(table: str, snapshot_id: int | None, counted: str) -> int:
    """Rows that commits brought since a snapshot, by the property that counts them; maintenance only moves rows."""
    newer = 0
    for snapshot in lake.history(table):
        if snapshot.snapshot_id == snapshot_id:
            break
        # Runs that set every file aside bring snapshots without a row.
        is_new = snapshot.properties.get("added-records") and RUN_ID in snapshot.properties
        newer += int(snapshot.properties.get(counted, 0)) if is_new else 0
    return newer


def _gold_behind(problem: Problem) -> str | None:
    silver = recorded.of_silver(problem)
    gold = recorded.of_gold(problem)
    if undecided := _refused(problem, "gold", gold):
        return undecided
    if gold.changed_seq < silver.changed_seq:
        return f"gold holds change {gold.changed_seq} of silver, which is at {silver.changed_seq}"
    if gold.contract_hash not in (None, problem.gold_hash()):
        return "the contract changed since gold was written"
    return None


def _refused(problem: Problem, stage: Stage, seen: recorded.Recorded) -> str | None:
    refused = waiting(problem, stage, seen)
    if refused is None:
        return None
    if refused.state == "accepted":
        return f"batch {refused.batch} was accepted by {refused.actor} and is not in {stage} yet"
    decide = f"`millrace reject {problem.problem} {refused.batch}` or `millrace accept …` decides it"
    return f"batch {refused.batch} was refused by the check of {stage} ({refused.why}); {decide}"


def _warehouse_behind(problem: Problem) -> str | None:
    table = names.gold(problem.problem)
    gold = recorded.recorded(table, recorded.GOLD_SEQ)
    if gold.upstream is None:
        return None
    loaded = warehouse.loaded(problem.problem)
    if loaded is None or loaded.gold_table_uuid != lake.table_uuid(table):
        return f"the warehouse does not hold {table}"
    if loaded.gold_seq < gold.gold_seq:
        return f"the warehouse holds gold {loaded.gold_seq}, which is at {gold.gold_seq}"
    return None


def _star_behind(problem: Problem) -> str | None:
    table = names.silver(problem.source_name)
    silver = recorded.of_silver(problem)
    # The star is loaded when gold is, so nothing is missing before there is one.
    if problem.warehouse is None or silver.upstream is None or lake.head(names.gold(problem.problem)) is None:
        return None
    loaded = star.loaded(problem.problem)
    if loaded is None or loaded.silver_table_uuid != lake.table_uuid(table):
        return f"the star schema does not hold {table}"
    if loaded.silver_seq < silver.changed_seq:
        return f"the star schema holds change {loaded.silver_seq} of silver, which is at {silver.changed_seq}"
    if loaded.shape != star_of(problem).shape():
        return "the contract's star schema changed since it was loaded"
    return None
