"""Step: decide whether a version may be the champion, and put it in force by compare-and-set."""

import logging
from typing import Any

from millrace.adapters import champions
from millrace.adapters.champions import Champion
from millrace.contract.errors import LostRaceError, VerdictError
from millrace.steps.held import held

logger = logging.getLogger(__name__)

DEPLOYABLE = ("passed", "challenger", "retired")


def version_to_deploy(problem: str, *, asked: int | None = None) -> int | None:
    """The version that is asked for; otherwise the newest that passed its gate, is not barred, and is not in force yet.

    Returns:
        The version, or None when there is nothing to deploy, or the problem is held.
    """
    if asked is not None:
        return asked
    if why := held(problem):
        logger.info("%s is %s", problem, why)
        return None
    live = champions.current(problem)
    states = {step.version: step.state for step in champions.transitions(problem)}
    for version in sorted((v for v, state in states.items() if state == "passed"), reverse=True):
        if live is not None and version <= live.version:
            return None
        if champions.barred(problem, champions.registration(problem, version)["content_hash"]) is None:
            return version
    return None


def move_champion(
    problem: str, version: int, *, actor: str, reason: str, rollback: bool = False, by_name: bool = False
) -> dict[str, Any]:
    """Put a version in force, and show it to people in MLflow. Repeating it after a kill changes nothing.

    Args, result and errors are those of `put_in_force`.
    """
    moved = put_in_force(problem, version, actor=actor, reason=reason, rollback=rollback, by_name=by_name)
    mirror_alias(problem, moved["version"])
    return moved


def put_in_force(
    problem: str,
    version: int,
    *,
    actor: str,
    reason: str,
    rollback: bool = False,
    by_name: bool = False,
    over: Champion | None = None,
    holding: str | None = None,
) -> dict[str, Any]:
    """Put a version in force. Repeating it after a kill changes nothing.

    Args:
        rollback: Whether the version may be older than the one in force.
        by_name: Whether somebody asked for this very version: that goes through while the problem is held.
        over: The champion that the version is to replace; by default whichever is in force now.
        holding: Why the content that is replaced is barred and the problem is held, in the transaction of the move.

    Returns:
        problem, version, uri, content_hash, generation, moved (False: it was in force already), ours (whether this
        actor put it there for this reason, now or before a kill), and previous: version, uri and content_hash of the
        champion before, or None.

    Raises:
        VerdictError: If the version did not pass its gate, is barred, is older than the champion, or passed against
            another champion than the one in force (the last is recorded as refused), or if the problem is held.
        LostRaceError: If somebody else moved the champion meanwhile.
    """
    # Read before the checks: a hold placed after them comes with a move of its own, and ours then loses the race.
    live = champions.current(problem)
    registered = champions.registration(problem, version)
    if live is not None and live.version == version and over is None:
        return _moved(live, moved=False, ours=(live.actor, live.reason) == (actor, reason))
    state = champions.state_of(problem, version)
    if state == "champion" and over is None:
        # Somebody put it in force since the look at the champion.
        raise LostRaceError(
            f"Version {version} of {problem} was put in force by somebody else",
            place="table control.champion",
            found=f"version {live.version if live else 'none'} a moment ago, version {version} now",
            expected="one promotion at a time",
            fix=f"nothing, if it is meant to lead: `millrace history {problem}` tells who moved it",
        )
    # A version that led before was proven again just now: what a verification once found may be mended.
    goes_back = rollback and champions.has_led(problem, version)
    if state not in DEPLOYABLE and not goes_back:
        raise _not_deployable(problem, version, f"state {state}", "a version that passed its gate")
    if bar := champions.barred(problem, registered["content_hash"]):
        found = f"content barred by {bar.actor} since {bar.held_at:%Y-%m-%d %H:%M} UTC: {bar.reason}"
        raise _not_deployable(problem, version, found, "a content that is not barred")
    if not (by_name or rollback) and (why := held(problem)):
        raise _not_deployable(problem, version, why, f"a problem that is not held, or `millrace deploy … {version}`")
    if live is not None and version < live.version and not rollback:
        raise _not_deployable(problem, version, f"version {live.version} in force", "a newer version, or a rollback")
    # A rollback is a person's will, and a version of another state was compared when it came into force.
    is_candidate = state == "passed" and not rollback
    if live is not None and is_candidate and (rival := _other_rival(problem, registered, live, version)):
        # Recorded, or the levels would call this version due for deployment again and again.
        why = f"judged against {rival}, and version {live.version} is in force"
        champions.record_transition(problem, version, "refused", actor, why, {"champion_version": live.version})
        raise VerdictError(
            f"Version {version} of {problem} was never compared with the champion",
            place="table control.version_transitions",
            found=why,
            expected=f"a candidate that was judged against version {live.version}",
            fix=f"train again: start `{problem}__train` with `force`; version {live.version} stays in force",
        )
    expected = over or live
    new = champions.move(
        problem,
        version=version,
        uri=registered["uri"],
        content_hash=registered["content_hash"],
        expected_generation=expected.generation if expected else 0,
        actor=actor,
        reason=reason,
        holding=holding,
    )
    return _moved(new, moved=True, ours=True)


def _other_rival(problem: str, registered: dict[str, Any], live: Champion, version: int) -> str | None:
    """Which champion the version was judged against, if its model is not the one in force; None if it is."""
    detail = next((s.detail for s in reversed(champions.transitions(problem, version)) if s.state == "passed"), None)
    # A judgement from before this was recorded does not say.
    if detail is None or "champion_version" not in detail or registered["content_hash"] == live.content_hash:
        return None
    rival = detail["champion_version"]
    if rival is None:
        return "no champion"
    same = champions.registration(problem, rival)["content_hash"] == live.content_hash
    return None if same else f"version {rival}"


def mirror_alias(problem: str, version: int | None) -> bool:
    """Show the champion (None: there is none) to people in MLflow as well.

    The alias decides nothing, so whatever fails here is told in the log and stops nothing.
    """
    from millrace.adapters import registry  # MLflow takes seconds to import: only where a champion really moves.

    try:
        if not registry.answers():
            raise ConnectionError("MLflow does not answer")
        if version is None:
            registry.remove_alias(problem)
        else:
            registry.set_alias(problem, version)
        return True
    except Exception as error:  # noqa: BLE001
        logger.warning("MLflow's alias champion of %s was not moved to version %s: %s", problem, version, error)
        return False


def _moved(champion: Champion, *, moved: bool, ours: bool) -> dict[str, Any]:
    # From the history, so that a retry after a kill still knows what to put back.
    generations = {old.generation: old for old in champions.history(champion.problem)}
    before = generations[champion.replaces] if champion.replaces else None
    previous = {"version": before.version, "uri": before.uri, "content_hash": before.content_hash} if before else None
    return {
        "problem": champion.problem,
        "version": champion.version,
        "uri": champion.uri,
        "content_hash": champion.content_hash,
        "generation": champion.generation,
        "moved": moved,
        "ours": ours,
        "previous": previous,
    }


def _not_deployable(problem: str, version: int, found: str, expected: str) -> VerdictError:
    return VerdictError(
        f"Version {version} of {problem} may not become champion",
        place="schema control, tables champion, version_transitions and holds",
        found=found,
        expected=expected,
        fix=f"`millrace history {problem}` shows the versions; `millrace release` ends a hold, or a version's bar",
    )
