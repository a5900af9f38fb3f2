"""Step: put an earlier version back in force and bar the content that it replaces."""

from datetime import UTC, datetime, timedelta
from typing import Any

from millrace.adapters import champions
from millrace.adapters.champions import Champion
from millrace.contract.errors import VerdictError
from millrace.steps.move_champion import move_champion
from millrace.steps.roll_out import await_fleet
from millrace.steps.verify_package import verify_package

SAID_AGAIN = timedelta(minutes=15)
"""So long after a rollback, the same words without a version repeat it, as after a kill, and ask for no other."""


def roll_back(problem: str, to_version: int | None = None, *, actor: str, reason: str) -> dict[str, Any]:
    """Replace the champion by an earlier version. Its content stays barred until `champions.release`.

    Repeated by the same actor for the same reason, after a kill or out of doubt, it finishes the rollback (moved is
    then False) and does not go one version further; `to_version` or another reason does.

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
    if _is_done(live, to_version, actor, reason):
        moved = move_champion(problem, live.version, actor=actor, reason=live.reason, rollback=True)
        held = moved["previous"]["content_hash"]
        return {**moved, "held": held, **await_fleet(problem, moved["generation"])}
    target = to_version or _version_before(problem, live)
    if champions.registration(problem, target)["content_hash"] == live.content_hash:
        raise _nothing(problem, f"version {target} with the content that is in force", "a version of another content")
    # First the proof, then the hold: a rollback that cannot succeed must bar nothing.
    verify_package(problem, target)
    champions.hold(problem, live.content_hash, actor=actor, reason=reason)
    moved = move_champion(problem, target, actor=actor, reason=_recorded(reason), rollback=True)
    return {**moved, "held": live.content_hash, **await_fleet(problem, moved["generation"])}


def _recorded(reason: str) -> str:
    return f"rollback: {reason}"


def _is_done(live: Champion, to_version: int | None, actor: str, reason: str) -> bool:
    """Whether this very rollback has moved the champion already."""
    if (live.actor, live.reason) != (actor, _recorded(reason)) or live.replaces is None:
        return False
    if to_version is not None:
        return live.version == to_version
    return datetime.now(UTC) - live.moved_at < SAID_AGAIN


def _version_before(problem: str, live: Champion) -> int:
    passed_over = []
    for old in champions.history(problem):
        if old.content_hash == live.content_hash:
            if old.version != live.version:
                passed_over.append(f"version {old.version}, which has the content of version {live.version}")
        elif champions.barred(problem, old.content_hash) is None:
            return old.version
        else:
            passed_over.append(f"version {old.version}, which is barred")
    found = "; ".join(dict.fromkeys(passed_over)) or f"version {live.version} and nothing before it"
    raise _nothing(problem, found, "an earlier champion of another content that is not barred")


def _nothing(problem: str, found: str, expected: str) -> VerdictError:
    return VerdictError(
        f"There is nothing to roll {problem} back to",
        place="table control.champion_history",
        found=found,
        expected=expected,
        fix=f"`millrace history {problem}` shows the versions; name one, or release a hold with `millrace release`",
    )
