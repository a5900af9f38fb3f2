"""The lake: Iceberg tables through pyiceberg, without a JVM. Branches, the fence that publishes them, and pinned reads.

Spark commits to the same tables through its own client of the same catalog, so nothing here assumes that it is the only
writer.
"""

from millrace.adapters.lake.branches import (
    BRANCH_PROPERTY,
    Branch,
    append,
    create_tag,
    cut_branch,
    drop_branch,
    publish,
    stray_branches,
    sweep_branches,
)
from millrace.adapters.lake.reading import MAIN, Head, count, fingerprint, head, newest_with, read
from millrace.adapters.lake.tables import TABLE_PROPERTIES, catalog, drop_table, ensure_table, table_exists

__all__ = [
    "BRANCH_PROPERTY",
    "MAIN",
    "TABLE_PROPERTIES",
    "Branch",
    "Head",
    "append",
    "catalog",
    "count",
    "create_tag",
    "cut_branch",
    "drop_branch",
    "drop_table",
    "ensure_table",
    "fingerprint",
    "head",
    "newest_with",
    "publish",
    "read",
    "stray_branches",
    "sweep_branches",
    "table_exists",
]
