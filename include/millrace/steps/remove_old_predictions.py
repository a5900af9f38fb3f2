"""Step: remove stored predictions that are older than the contract keeps them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from millrace.adapters import prediction_store, prediction_tables
from millrace.contract.problem import Problem


def remove_old_predictions(problem: Problem, *, now: datetime | None = None) -> dict[str, Any]:
    """Drop each day's partition once all of it is too old. A day that is being read is left for the next time.

    Returns:
        problem, days (how many were dropped), predictions.
    """
    first_kept = (now or datetime.now(UTC)).date() - timedelta(days=problem.retention.predictions_days)
    with prediction_store.connect(patience_seconds=600) as connection:
        days, predictions = prediction_tables.drop_before(connection, problem.problem, first_kept)
    return {"problem": problem.problem, "days": len(days), "predictions": predictions}
