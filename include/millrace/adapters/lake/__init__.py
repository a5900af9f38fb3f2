"""The lake: Iceberg tables through pyiceberg, without a JVM. Branches, the fence that publishes them, and pinned reads.

Spark commits to the same tables through its own client of the same catalog, so nothing here assumes that it is the only
writer.
"""

from millrace.adapters.lake.branches import (
    BRANCH_PROPERTY,
    Branch,
    append,
    append_nothing,
    create_tag,
    cut_branch,
    drop_branch,
    publish,
    stray_branches,
    sweep_branches,
)
from millrace.adapters.lake.reading import (
    MAIN,
    Head,
    column_names,
    column_types,
    count,
    fingerprint,
    head,
    history,
    newest_with,
    published_at,
    read,
    read_appended,
    read_batches,
    snapshot,
    table_uuid,
)
from millrace.adapters.lake.tables import TABLE_PROPERTIES, catalog, drop_table, ensure_table, ping, table_exists
from millrace.adapters.lake.writing import DataFile, add_files

__all__ = [
    "BRANCH_PROPERTY",
    "MAIN",
    "TABLE_PROPERTIES",
    "Branch",
    "DataFile",
    "Head",
    "add_files",
    "append",
    "append_nothing",
    "catalog",
    "column_names",
    "column_types",
    "count",
    "create_tag",
    "cut_branch",
    "drop_branch",
    "drop_table",
    "ensure_table",
    "fingerprint",
    "head",
    "history",
    "newest_with",
    "ping",
    "publish",
    "published_at",
    "read",
    "read_appended",
    "read_batches",
    "snapshot",
    "stray_branches",
    "sweep_branches",
    "table_exists",
    "table_uuid",
]
