"""That a problem is held after a rollback, in the words that status, reconcile and the deploy DAG all say."""

from millrace.adapters import problem_holds


def held(problem: str) -> str | None:
    """Who holds the problem since when, why, and the way out; None if nobody does."""
    hold = problem_holds.current(problem)
    if hold is None:
        return None
    since = f"{hold.held_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"held by {hold.actor} since {since} because: {hold.reason}; nothing is promoted by itself until"
        f" `millrace release {problem}`"
    )
