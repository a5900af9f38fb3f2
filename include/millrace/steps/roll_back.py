"""Step: put an earlier version back in force, bar the content that it replaces, and hold the problem."""

from datetime import UTC, datetime, timedelta
from typing import Any

from millrace.adapters import champions
from millrace.adapters.champions import Champion
from millrace.contract.errors import VerdictError
from millrace.steps.move_champion import mirror_alias, put_in_force
from millrace.steps.prove_again import prove_again
from millrace.steps.roll_out import await_fleet
from millrace.steps.undone import undone

SAID_AGAIN = timedelta(minutes=15)
"""So long after a rollback, the same words without a version repeat it, as after a kill, and ask for no other."""


def roll_back(problem: str, to_version: int | None = None, *, actor: str, reason: str) -> dict[str, Any]:
    """Replace the champion by an earlier version, bar its content, and hold the problem: nothing is promoted by itself.

    Repeated by the same actor for the same reason, after a kill or out of doubt, it finishes the rollback (moved is
    then False) and does not go one version further; `to_version` or another reason does.

    Args:
        to_version: Default: the last version that was in force with another content that is not barred, and was not
            undone when it was deployed.

    Returns:
        The result of `put_in_force`; barred (a content hash); replicas; and not_verified: None, or in words what could
        not be checked because the store was away.

    Raises:
        VerdictError: If there is nothing to go back to, or the earlier package does not hold: the champion then stays.
            Or if a replica does not follow: the earlier version is in force then.
        LostRaceError: If somebody else moved the champion meanwhile; then nothing is barred or held.
    """
    live = champions.current(problem)
    if live is None:
        raise _nothing(problem, "no champion", "a champion to replace")
    if _is_done(live, to_version, actor, reason):
        moved = put_in_force(problem, live.version, actor=actor, reason=live.reason, rollback=True)
        return _finished(problem, moved, barred=moved["previous"]["content_hash"], not_verified=None)
    target = to_version or _version_before(problem, live)
    if champions.registration(problem, target)["content_hash"] == live.content_hash:
        raise _nothing(problem, f"version {target} with the content that is in force", "a version of another content")
    not_verified = prove_again(problem, target)
    moved = put_in_force(
        problem, target, actor=actor, reason=_recorded(reason), rollback=True, over=live, holding=reason
    )
    return _finished(problem, moved, barred=live.content_hash, not_verified=not_verified)


def _finished(problem: str, moved: dict[str, Any], *, barred: str, not_verified: str | None) -> dict[str, Any]:
    try:
        served = await_fleet(
            problem,
            moved["generation"],
            way_out=f"version {moved['version']} is in force, and a replica that is late follows as soon as it can load"
            " it: its /readyz says why it cannot",
        )
    finally:
        # For people, and it takes seconds: after what callers wait for.
        mirror_alias(problem, moved["version"])
    return {**moved, "barred": barred, "not_verified": not_verified, **served}


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
    history = champions.history(problem)
    bad = undone(history)
    for old in history:
        if old.generation in bad:
            passed_over.append(f"version {old.version}, which was undone when it was deployed")
        elif old.content_hash == live.content_hash:
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
        fix=f"`millrace history {problem}` shows the versions; name one, or lift a bar with `millrace release`",
    )
