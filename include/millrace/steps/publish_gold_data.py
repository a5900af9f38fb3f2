"""Gold's checked branch becomes its main."""

from typing import Any

from millrace.adapters import lake
from millrace.contract.problem import Problem
from millrace.steps.written import already_published, branch_of


def publish_gold_data(problem: Problem, built: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - as every step
    """Make the checked branch the main of gold.

    Returns:
        table, snapshot_id (of main), changed.

    Raises:
        LostRaceError: If another attempt published first.
    """
    told = {name: built[name] for name in ("table", "snapshot_id", "changed")}
    return told if already_published(built) else told | {"snapshot_id": lake.publish(branch_of(built))}
