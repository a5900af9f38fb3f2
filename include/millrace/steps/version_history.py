"""How the versions of a problem came to their states, bars and holds too, and the way out of a refusal: for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from millrace.adapters import champions, problem_holds
from millrace.adapters.champions import Hold, Transition
from millrace.adapters.problem_holds import ProblemHold
from millrace.contract.problem import Problem
from millrace.domain.promotion import way_out


@dataclass(frozen=True)
class Event:
    """One thing that happened to versions. A bar is on a content, so it may tell of several of them; a hold is on the
    problem, and names none."""

    at: datetime
    versions: tuple[int, ...]
    state: str
    """A state of `champions.State`; barred or released, of a content; held or released, of the problem."""
    actor: str
    reason: str


def version_history(problem: Problem) -> list[Event]:
    """Everything that happened to a problem's versions, the oldest first."""
    steps = champions.transitions(problem.problem)
    events = [Event(step.at, (step.version,), step.state, step.actor, told(problem, step)) for step in steps]
    for hold in champions.holds(problem.problem):
        versions = _versions_of(hold.content_hash, steps)
        events += _from_to("barred", versions, hold)
    for one in problem_holds.every(problem.problem):
        events += _from_to("held", (), one)
    return sorted(events, key=lambda event: event.at)


def _from_to(state: str, versions: tuple[int, ...], hold: Hold | ProblemHold) -> list[Event]:
    events = [Event(hold.held_at, versions, state, hold.actor, hold.reason)]
    if hold.released_at is not None:
        events.append(Event(hold.released_at, versions, "released", hold.released_by or "", hold.release_reason or ""))
    return events


def barred_versions(problem: Problem) -> list[str]:
    """Which versions may not be deployed, by whom, and why: one line for each open hold."""
    steps = champions.transitions(problem.problem)
    return [
        f"version {_listed(_versions_of(hold.content_hash, steps))} is barred by {hold.actor}: {hold.reason}"
        for hold in champions.holds(problem.problem)
        if hold.released_at is None
    ]


def refused_since(problem: Problem) -> str | None:
    """That the newest version is refused, in words: nothing is pending then, and yet nothing new comes into force."""
    steps = champions.transitions(problem.problem)
    newest = [step for step in steps if step.version == max(each.version for each in steps)]
    if not newest or newest[-1].state != "refused":
        return None
    return f"version {newest[-1].version} was refused: {told(problem, newest[-1])}"


def told(problem: Problem, step: Transition) -> str:
    """Why a version came to a state; where it was refused, with the way out."""
    if step.state != "refused":
        return step.reason
    conditions = (step.detail or {}).get("conditions", [])
    failed = [condition["name"] for condition in conditions if not condition["passed"]]
    # Whoever refused without a gate refused one package, or one comparison; another training has another.
    advice = way_out(failed) if failed else f"`millrace train {problem.problem}`"
    return f"{step.reason} → {advice}"


def _versions_of(content_hash: str, steps: Sequence[Transition]) -> tuple[int, ...]:
    held = [step.version for step in steps if step.detail and step.detail.get("content_hash") == content_hash]
    return tuple(sorted(set(held)))


def _listed(versions: Sequence[int]) -> str:
    return ", ".join(map(str, versions)) or "(unknown)"
