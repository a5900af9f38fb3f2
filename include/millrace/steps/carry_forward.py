"""What a later run goes on from, said again where a commit of maintenance would hide it."""

from collections.abc import Mapping

from millrace.adapters import lake
from millrace.steps.bronze_table import FILES, ROWS, RUN_ID
from millrace.steps.recorded import REBUILT, RECEIPT, REPLAYED

_OF_ONE_COMMIT = frozenset([lake.BRANCH_PROPERTY, RUN_ID, FILES, ROWS, REBUILT, REPLAYED])
"""What a commit tells of its own rows: said twice, it would count twice."""


def levels(table: str, properties: Mapping[str, str]) -> dict[str, str]:
    """Those of a commit's records that hold until a later commit says otherwise.

    A receipt holds in gold: it tells where the rows of main came from. Gold adds those of silver's commits up, so
    there it belongs to its commit.
    """
    once = _OF_ONE_COMMIT if table.startswith("gold.") else _OF_ONE_COMMIT | {RECEIPT}
    return {key: value for key, value in properties.items() if key.startswith("millrace.") and key not in once}


def levels_at(table: str, ref: str) -> dict[str, str]:
    """The newest of each level in a ref's history."""
    newest: dict[str, str] = {}
    for snapshot in lake.history(table, ref):
        newest = levels(table, snapshot.properties) | newest
    return newest


def carry_forward(branch: lake.Branch) -> None:
    """Commit the levels of a branch to its head, in a commit without a row. Read here, so after the branch was cut."""
    if found := levels_at(branch.table, branch.name):
        lake.append_nothing(branch, found)
