"""Step: let the gate decide on a registered version, and record what it said."""

from typing import Any

from millrace.adapters import champions, registry
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.domain.promotion import Condition, Evidence, judge, way_out
from millrace.steps import run_folder

ACTOR = "gate"


def judge_candidate(problem: Problem, version: int) -> dict[str, Any]:
    """Judge the recorded evidence by the limits that the contract had when the run began.

    Repeated, it says the same again and records nothing twice.

    Returns:
        version, passed, conditions (name, observed, limit, passed, words).

    Raises:
        VerdictError: If the version was refused, after recording it; names condition, value and limit.
    """
    name = problem.problem
    run_key = str(champions.registration(name, version)["run_key"])
    training = run_folder.demand(name, run_key, run_folder.TRAINING, step="train_final_model")
    gate = run_folder.contract_of(name, run_key).gate
    evidence = Evidence.model_validate(training["evidence"])
    conditions = judge(gate, evidence)
    refused = [one for one in conditions if not one.passed]
    if champions.state_of(name, version) == "registered":
        state, words = ("refused", "; ".join(map(_told, refused))) if refused else ("passed", "every condition holds")
        # With whom it was compared: against another champion it has shown nothing, see `move_champion`.
        detail = {"conditions": [vars(one) for one in conditions], "champion_version": evidence.champion_version}
        champions.record_transition(name, version, "refused" if refused else "passed", ACTOR, words, detail)
        registry.tag_version(name, version, {"gate": state, "gate_says": words})
    if refused:
        raise VerdictError(
            f"Version {version} of {name} was refused by its gate",
            place=f"gate of problem {name}, run {run_key}",
            found="; ".join(f"{one.name} = {_number(one.observed)} ({one.words})" for one in refused),
            expected="; ".join(f"{one.name} within {_number(one.limit)}" for one in refused),
            fix=f"{way_out(one.name for one in refused)}; the champion stays, the model card shows every condition",
        )
    return {"version": version, "passed": True, "conditions": [vars(one) for one in conditions]}


def _told(condition: Condition) -> str:
    return f"{condition.name}: {_number(condition.observed)}, limit {_number(condition.limit)}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
