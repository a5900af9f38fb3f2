"""Whether a source's rows can come the way that the contract says by now, after those that silver holds."""

from typing import Literal

from millrace.contract import names
from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem
from millrace.contract.source_epoch import FOREIGN
from millrace.steps import recorded

Way = Literal["extract", "topic"]


def demand_way(problem: Problem, way: Way) -> None:
    """
    Args:
        way: The section by which rows are to come: extract, or topic of somebody else's changes.

    Raises:
        VerdictError: If changes told of the rows that silver holds. They are later than whatever comes this way, so
            nothing of it would count, and nobody would hear of that.
    """
    following = recorded.of_silver(problem).following
    before = {*following.epochs} - ({str(FOREIGN)} if way == "topic" else set()) if following else set()
    if before:
        raise VerdictError(
            f"Changes told of {problem.source_name} before: nothing would count that comes by `{way}`",
            place=f"table {names.silver(problem.source_name)}",
            found=f"rows of the epochs {', '.join(sorted(before))}",
            expected="a source whose rows never came by changes of another kind",
            fix=f"give the source another name in include/problems/{problem.problem}.yaml: its tables begin anew; or"
            " put its section `changes` back",
        )
