"""Step: put a version in force on every replica, see that it answers as it was built to, or put the old one back."""

import json
from typing import Any

from millrace.adapters import champions, fleet, package_store
from millrace.adapters.champions import Champion
from millrace.contract.errors import MillraceError, VerdictError
from millrace.domain.package import GOLDEN, open_package
from millrace.domain.verification import GOLDEN_TOLERANCE
from millrace.steps.move_champion import mirror_alias, move_champion, version_to_deploy
from millrace.steps.undone import undoing
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

FLEET_SECONDS = 60.0
PUT_BACK_SECONDS = 30.0


def await_fleet(
    problem: str,
    generation: int,
    *,
    deadline_seconds: float = FLEET_SECONDS,
    way_out: str = "the replica's log says why; the old champion is put back",
) -> dict[str, Any]:
    """Wait until every replica serves this generation, or a later one.

    Args:
        way_out: What happens, or is to be done, if one does not.

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
            fix=way_out,
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
    """Put the champion from before a failed move back in force; then say so loudly. What another run had moved stays.

    Args:
        moved: What `move_champion` returned.

    Raises:
        VerdictError: Always: a rollout that had to be undone has failed.
        LostRaceError: If somebody else moved the champion meanwhile; then nothing is undone.
    """
    if not moved["ours"]:
        raise VerdictError(
            f"Version {moved['version']} of {problem} was in force already, and stays",
            place=f"generation {moved['generation']}",
            found=reason,
            expected="replicas that all load it and answer with it as it was built to",
            fix=f"`make status` and the replicas' /readyz say why not; `millrace rollback {problem}` goes back",
        )
    previous, live = moved["previous"], champions.current(problem)
    undone = live is None if previous is None else live is not None and live.version == previous["version"]
    back: Champion | None = live
    if not undone:
        why = undoing(moved["version"], reason)
        if previous is None:
            champions.withdraw(problem, expected_generation=moved["generation"], actor=actor, reason=why)
            back = None
        else:
            back = champions.move(problem, **previous, expected_generation=moved["generation"], actor=actor, reason=why)
        mirror_alias(problem, back.version if back else None)
    raise VerdictError(
        f"Version {moved['version']} of {problem} was undone",
        place=f"generation {moved['generation']}",
        found=reason,
        expected="a version that every replica loads and answers with as it was built to",
        fix=f"{_fleet_after(problem, back)}; read the failed task's log, mend, deploy again",
    )


def roll_out(problem: str, version: int, *, actor: str, reason: str, by_name: bool = False) -> dict[str, Any]:
    """The whole stage: verify, move, wait for the fleet, smoke test; put back what was if anything fails.

    Raises:
        VerdictError: If the version does not hold, or was put in force and had to be undone.
    """
    verified = verify_package(problem, version)
    moved = move_champion(problem, version, actor=actor, reason=reason, by_name=by_name)
    try:
        served = await_fleet(problem, moved["generation"])
        tested = smoke_test(problem, version)
    except MillraceError as error:
        put_back(problem, moved, reason=f"{error.problem}: {error.found}", actor=actor)
        raise AssertionError("put_back always raises") from error
    return {"verified": verified, "moved": moved, **served, "smoke": tested}


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


def _smoke(problem: str, url: str, found: str, expected: str) -> VerdictError:
    return VerdictError(
        f"The smoke test of {problem} failed",
        place=url,
        found=found,
        expected=expected,
        fix="the old champion is put back; compare the library versions of the replica with those of the package",
    )
