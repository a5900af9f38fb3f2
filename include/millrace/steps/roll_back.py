"""Step: put an earlier version back in force and bar the content that it replaces."""

from typing import Any

from millrace.adapters import champions
from millrace.adapters.champions import Champion
from millrace.contract.errors import VerdictError
from millrace.steps.move_champion import move_champion
from millrace.steps.roll_out import await_fleet
from millrace.steps.verify_package import verify_package


def roll_back(problem: str, to_version: int | None = None, *, actor: str, reason: str) -> dict[str, Any]:
    """Replace the champion by an earlier version. Its content stays barred until `champions.release`.

    Args:
        to_version: Default: the last version that was in force with another content that is not barred.

    Returns:
        The result of `move_champion`, held (the barred content hash) and replicas.

    Raises:
        VerdictError: If there is nothing to go back to, or the earlier package does not hold; the champion then stays.
    """
    live = champions.current(problem)
    if live is None:
        raise _nothing(problem, "no champion", "a champion to replace")
    target = to_version or _version_before(problem, live)
    if champions.registration(problem, target)["content_hash"] == live.content_hash:
        raise _nothing(problem, f"version {target} with the content that is in force", "a version of another content")
    # First the proof, then the hold: a rollback that cannot succeed must bar nothing.
    verify_package(problem, target)
    champions.hold(problem, live.content_hash, actor=actor, reason=reason)
    moved = move_champion(problem, target, actor=actor, reason=f"rollback: {reason}", rollback=True)
    return {**moved, "held": live.content_hash, **await_fleet(problem, moved["generation"])}


def _version_before(problem: str, live: Champion) -> int:
    for old in champions.history(problem):
        if old.content_hash != live.content_hash and champions.barred(problem, old.content_hash) is None:
            return old.version
    raise _nothing(problem, f"version {live.version} and nothing before it", "an earlier champion that is not held")


def _nothing(problem: str, found: str, expected: str) -> VerdictError:
    return VerdictError(
        f"There is nothing to roll {problem} back to",
        place="table control.champion_history",
        found=found,
        expected=expected,
        fix=f"`millrace history {problem}` shows the versions; name one, or release a hold with `millrace release`",
    )
