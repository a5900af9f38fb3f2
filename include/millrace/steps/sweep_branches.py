"""Drop the Iceberg branches that attempts left behind: one killed between cutting its branch and publishing it."""

from millrace.adapters import lake
from millrace.contract.problem import Problem
from millrace.steps.lake_tables import lake_tables


def sweep_branches(problems: list[Problem], *, older_than_seconds: float) -> list[str]:
    """Drop stray branches of every table of these problems; returns their names.

    Age is the only proof that an attempt is over: what it started inside the Spark server outlives the task. Should a
    write still come, it re-creates the branch on the current main, and publishing refuses it for its wrong parent.
    """
    tables = [table for problem in problems for table in lake_tables(problem)]
    return lake.sweep_branches([table for table in tables if lake.table_exists(table)], older_than_seconds)
