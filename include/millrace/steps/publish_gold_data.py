"""Gold's checked branch becomes its main; before it a rebuilt silver, which waited for it."""

from typing import Any

from millrace.adapters import lake
from millrace.contract.problem import Problem
from millrace.steps.written import already_published, branch_of


def publish_gold_data(
    problem: Problem,  # noqa: ARG001 - as every step
    built: dict[str, Any],
    checked: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Make the checked branch the main of gold.

    Two tables cannot move in one commit: between the two publications, some milliseconds, silver is rebuilt and gold is
    not. A task killed there leaves gold behind silver, which shows as pending and is built again.

    Args:
        checked: What `check_silver_data` told: of a rebuilt silver, the branch to publish first.

    Returns:
        table, snapshot_id (of main), changed.

    Raises:
        LostRaceError: If another attempt published first.
    """
    told = {name: built[name] for name in ("table", "snapshot_id", "changed")}
    if checked and checked["branch"] and not already_published(checked):
        lake.publish(branch_of(checked))
    return told if already_published(built) else told | {"snapshot_id": lake.publish(branch_of(built))}
