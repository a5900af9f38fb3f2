"""Step: put a version in force on every replica, see that it answers as it was built to, or put the old one back."""

import json
import logging
from typing import Any

from millrace.adapters import champions, fleet, package_store
from millrace.adapters.champions import Champion
from millrace.contract.errors import MillraceError, VerdictError
from millrace.domain.package import GOLDEN, open_package
from millrace.domain.verification import GOLDEN_TOLERANCE
from millrace.steps.verify_package import verify_package

__all__ = [
    "await_fleet",
    "move_champion",
    "put_back",
    "roll_out",
    "smoke_test",
    "verify_package",
    "version_to_deploy",
]

logger = logging.getLogger(__name__)

DEPLOYABLE = ("passed", "challenger", "retired", "champion")
FLEET_SECONDS = 60.0
PUT_BACK_SECONDS = 30.0


def version_to_deploy(problem: str, *, asked: int | None = None) -> int | None:
    """The version that is asked for; otherwise the newest that passed its gate, is not barred, and is not in force yet.

    Returns:
        The version, or None when there is nothing to deploy.
    """
    if asked is not None:
        return asked
    live = champions.current(problem)
    states = {step.version: step.state for step in champions.transitions(problem)}
    for version in sorted((v for v, state in states.items() if state == "passed"), reverse=True):
        if live is not None and version <= live.version:
            return None
        if champions.barred(problem, champions.registration(problem, version)["content_hash"]) is None:
            return version
    return None


def move_champion(problem: str, version: int, *, actor: str, reason: str, rollback: bool = False) -> dict[str, Any]:
    """Put a version in force. Repeating it after a kill changes nothing.

    Args:
        rollback: Whether the version may be older than the one in force.

    Returns:
        problem, version, uri, content_hash, generation, moved (False: it was in force already), and previous: version,
        uri and content_hash of the champion before, or None.

    Raises:
        VerdictError: If the version did not pass its gate, is barred, or is older than the champion.
        LostRaceError: If somebody else moved the champion meanwhile.
    """
    # Read before the checks: a hold placed after them comes with a move of its own, and ours then loses the race.
    live = champions.current(problem)
    registered = champions.registration(problem, version)
    if live is not None and live.version == version:
        return _moved(live, moved=False)
    state = champions.state_of(problem, version)
    if state not in DEPLOYABLE:
        raise _not_deployable(problem, version, f"state {state}", "a version that passed its gate")
    if held := champions.barred(problem, registered["content_hash"]):
        found = f"content held by {held.actor} since {held.held_at:%Y-%m-%d %H:%M} UTC: {held.reason}"
        raise _not_deployable(problem, version, found, "a content that is not held")
    if live is not None and version < live.version and not rollback:
        raise _not_deployable(problem, version, f"version {live.version} in force", "a newer version, or a rollback")
    new = champions.move(
        problem,
        version=version,
        uri=registered["uri"],
        content_hash=registered["content_hash"],
        expected_generation=live.generation if live else 0,
        actor=actor,
        reason=reason,
    )
    mirror_alias(problem, version)
    return _moved(new, moved=True)


def await_fleet(problem: str, generation: int, *, deadline_seconds: float = FLEET_SECONDS) -> dict[str, Any]:
    """Wait until every replica serves this generation, or a later one.

    Returns:
        replicas: what each serves.

    Raises:
        VerdictError: If one does not by the deadline; says which, and why.
    """
    found = fleet.await_all(problem, lambda one: (one.generation or 0) >= generation, deadline_seconds=deadline_seconds)
    late = [one for one in found if (one.generation or 0) < generation]
    if late:
        raise VerdictError(
            f"Not every replica serves the new champion of {problem}",
            place=", ".join(one.url for one in late),
            found="; ".join(_why_late(one, problem) for one in late),
            expected=f"generation {generation} on every replica within {deadline_seconds:g} s",
            fix="the replica's log says why; the old champion is put back",
        )
    return {"replicas": {one.url: {"version": one.version, "generation": one.generation} for one in found}}


def smoke_test(problem: str, version: int) -> dict[str, Any]:
    """Send the golden rows to every replica: each must answer from this version, as the package recorded it.

    Returns:
        rows, replicas, and difference: the largest one of any probability.

    Raises:
        VerdictError: If a replica answers from another version, or otherwise.
    """
    registered = champions.registration(problem, version)
    golden = json.loads(open_package(package_store.get(registered["uri"])).files[GOLDEN])
    worst = 0.0
    for url in fleet.replicas():
        answer = fleet.predict(url, problem, [one["row"] for one in golden])
        served = (answer["model"]["version"], answer["model"]["content_hash"])
        wanted = (version, registered["content_hash"])
        if served != wanted:
            raise _smoke(problem, url, f"version {served[0]}, content {served[1]}", f"version {version}, {wanted[1]}")
        for position, (one, told) in enumerate(zip(golden, answer["predictions"], strict=True)):
            apart = abs(told["probability"] - one["probability"])
            worst = max(worst, apart)
            if not apart <= GOLDEN_TOLERANCE:
                found = f"golden row {position}: probability {told['probability']}"
                raise _smoke(problem, url, found, f"{one['probability']} ± {GOLDEN_TOLERANCE:g}")
    return {"rows": len(golden), "replicas": len(fleet.replicas()), "difference": worst}


def put_back(problem: str, moved: dict[str, Any], *, reason: str, actor: str = "deploy") -> None:
    """Put the champion from before a failed move back in force; then say so loudly.

    Args:
        moved: What `move_champion` returned.

    Raises:
        VerdictError: Always: a rollout that had to be undone has failed.
        LostRaceError: If somebody else moved the champion meanwhile; then nothing is undone.
    """
    previous, live = moved["previous"], champions.current(problem)
    undone = live is None if previous is None else live is not None and live.version == previous["version"]
    back: Champion | None = live
    if not undone:
        why = f"version {moved['version']} is undone: {reason}"
        if previous is None:
            champions.withdraw(problem, expected_generation=moved["generation"], actor=actor, reason=why)
            back = None
        else:
            back = champions.move(problem, **previous, expected_generation=moved["generation"], actor=actor, reason=why)
            mirror_alias(problem, back.version)
    raise VerdictError(
        f"Version {moved['version']} of {problem} was undone",
        place=f"generation {moved['generation']}",
        found=reason,
        expected="a version that every replica loads and answers with as it was built to",
        fix=f"{_fleet_after(problem, back)}; read the failed task's log, mend, deploy again",
    )


def roll_out(problem: str, version: int, *, actor: str, reason: str) -> dict[str, Any]:
    """The whole stage: verify, move, wait for the fleet, smoke test; put back what was if anything fails.

    Raises:
        VerdictError: If the version does not hold, or was put in force and had to be undone.
    """
    verified = verify_package(problem, version)
    moved = move_champion(problem, version, actor=actor, reason=reason)
    try:
        served = await_fleet(problem, moved["generation"])
        tested = smoke_test(problem, version)
    except MillraceError as error:
        put_back(problem, moved, reason=f"{error.problem}: {error.found}", actor=actor)
        raise AssertionError("put_back always raises") from error
    return {"verified": verified, "moved": moved, **served, "smoke": tested}


def mirror_alias(problem: str, version: int) -> bool:
    """Show the champion to people in MLflow as well. The alias decides nothing, so its failure stops nothing."""
    try:
        from millrace.adapters import registry

        registry.set_alias(problem, version)
        return True
    except Exception:
        logger.exception("the alias champion of %s still shows another version than %d", problem, version)
        return False


def _moved(champion: Champion, *, moved: bool) -> dict[str, Any]:
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
        "previous": previous,
    }


def _fleet_after(problem: str, back: Champion | None) -> str:
    if back is None:
        return f"{problem} has no champion, as before"
    found = fleet.await_all(
        problem, lambda one: (one.generation or 0) >= back.generation, deadline_seconds=PUT_BACK_SECONDS
    )
    late = [one.url for one in found if (one.generation or 0) < back.generation]
    return f"version {back.version} is in force again" + (f", but not yet on {', '.join(late)}" if late else "")


def _why_late(one: fleet.Serves, problem: str) -> str:
    told = fleet.readiness(one.url).get("not_loaded", {}).get(problem)
    return f"{one.url}: {one.why_not or f'generation {one.generation}'}" + (f" ({told})" if told else "")


def _not_deployable(problem: str, version: int, found: str, expected: str) -> VerdictError:
    return VerdictError(
        f"Version {version} of {problem} may not become champion",
        place="schema control, tables champion, version_transitions and holds",
        found=found,
        expected=expected,
        fix=f"`millrace history {problem}` shows the versions; a hold ends with `millrace release`",
    )


def _smoke(problem: str, url: str, found: str, expected: str) -> VerdictError:
    return VerdictError(
        f"The smoke test of {problem} failed",
        place=url,
        found=found,
        expected=expected,
        fix="the old champion is put back; compare the library versions of the replica with those of the package",
    )
