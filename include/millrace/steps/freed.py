"""Step: what a run of maintenance freed, in numbers and in one line."""

import logging
from collections.abc import Iterable
from typing import Any

log = logging.getLogger("millrace")


def tell_what_it_freed(
    maintained: Iterable[dict[str, Any]], reports: Iterable[dict[str, Any]], predictions: Iterable[dict[str, Any]]
) -> dict[str, Any]:
    """Add up what each table and each problem's reports gave free.

    Args:
        maintained: What `maintain_table` told, a table each.
        reports: What `remove_old_reports` told, a problem each.
        predictions: What `remove_old_predictions` told, a problem each.

    Returns:
        tables; files and snapshots, before and after; bytes freed; rows forgotten; orphans, reports,
        predictions; left (table → why it was left as it is). What other writers added meanwhile counts against what was
        freed.
    """
    tables, old_reports = list(maintained), list(reports)
    freed = sum(each["before"]["bytes"] - each["after"]["bytes"] for each in tables)
    told = {
        "tables": len(tables),
        **{
            f"{name}_{when}": sum(each[when][name] for each in tables)
            for name in ("files", "snapshots")
            for when in ("before", "after")
        },
        "bytes_freed": freed + sum(each["bytes"] for each in old_reports),
        "rows_forgotten": sum(each["forgotten"] for each in tables),
        "orphans": sum(each["orphans"] for each in tables),
        "reports": sum(each["reports"] for each in old_reports),
        "predictions": sum(each["predictions"] for each in predictions),
        "left": {each["table"]: each["written"] for each in tables if each["written"].startswith("left")},
    }
    log.info(
        "%(tables)s tables: files %(files_before)s → %(files_after)s, snapshots %(snapshots_before)s →"
        " %(snapshots_after)s, %(bytes_freed)s bytes freed, %(rows_forgotten)s rows of quarantine forgotten,"
        " %(orphans)s lost files, %(reports)s reports and %(predictions)s predictions removed",
        told,
    )
    return told
