"""Which contract a problem's tables follow. Another one in the problem file rebuilds nothing until it is applied."""

from millrace.adapters import applied_contracts
from millrace.adapters.applied_contracts import Applied
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.steps import recorded


def is_changed(problem: Problem) -> bool:
    """Whether silver or gold holds rows of another contract than the problem file's."""
    silver = recorded.of_silver(problem)
    gold = recorded.of_gold(problem)
    return silver.contract_hash not in (None, problem.contract_hash()) or gold.contract_hash not in (
        None,
        problem.gold_hash(),
    )


def is_applied(problem: Problem) -> bool:
    """Whether the contract of the problem file is the one that was applied last."""
    newest = applied_contracts.newest(problem.problem)
    return newest is not None and newest.contract_hash == problem.gold_hash()


def in_force(problem: Problem) -> Applied | None:
    """The contract that gold follows, or silver where there is no gold; None where nothing was recorded of it."""
    gold = recorded.of_gold(problem).contract_hash
    silver = recorded.of_silver(problem).contract_hash
    followed = gold or silver
    return applied_contracts.of_hash(problem.problem, followed) if followed else None


def apply_contract(problem: Problem, *, actor: str, reason: str) -> None:
    """Put the contract of the problem file in force: the next transform rebuilds what holds rows of another."""
    content = problem.model_dump(mode="json")
    applied_contracts.record(problem.problem, problem.gold_hash(), content, actor=actor, reason=reason)


def demand_applied(problem: Problem) -> None:
    """Refuse to touch the tables under a contract that nobody applied. A new problem's first contract needs nobody.

    Raises:
        VerdictError: If the contract changed since silver or gold was written, and is not applied.
    """
    if not is_changed(problem):
        apply_contract(problem, actor="transform", reason="the tables follow it")
    elif not is_applied(problem):
        raise VerdictError(
            "The contract changed, and the change is not applied",
            place=f"problem {problem.problem}",
            found=f"contract {problem.gold_hash()}",
            expected="the contract that silver and gold were written under",
            fix=f"{way_out(problem)}; or put the old one back. Until then nothing is taken in",
        )


def way_out(problem: Problem) -> str:
    """What a person may do about a contract that changed, in words."""
    name = problem.problem
    return f"`millrace plan {name}` shows what it would change, `millrace apply {name} --reason …` does it"
