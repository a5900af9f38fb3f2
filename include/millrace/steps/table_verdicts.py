"""What is said of a source's table that the contract cannot be true of, whether its changes or its rows are read."""

from collections.abc import Iterable, Mapping

from millrace.contract.errors import VerdictError
from millrace.contract.problem import Problem


def lacks_columns(problem: Problem, lacking: Iterable[str], *, place: str, found: str, fix: str) -> VerdictError:
    """The table lacks columns of the contract; nothing was written."""
    lacking = list(lacking)
    return VerdictError(
        f"The source's table lacks a column of the contract: {', '.join(lacking)}",
        place=place,
        found=found,
        expected=f"{_typed(problem, lacking)}, too",
        fix=f"nothing was written: {fix}",
    )


def has_other_types(problem: Problem, retyped: Mapping[str, str], *, place: str, found: str, fix: str) -> VerdictError:
    """Columns of the table are of types that cannot be the contract's; nothing was written.

    Args:
        retyped: Column → its type in the table.
    """
    return VerdictError(
        f"A column of the source's table is not of the contract's type: {', '.join(retyped)}",
        place=place,
        found=found,
        expected=_typed(problem, retyped),
        fix=f"nothing was written: {fix}",
    )


def _typed(problem: Problem, names: Iterable[str]) -> str:
    return ", ".join(f"{name} ({problem.source.columns[name].type})" for name in names)
