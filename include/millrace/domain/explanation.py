"""Factors: which input columns moved one prediction, and by how much on the log-odds scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from millrace.contract.source import Scalar


@dataclass(frozen=True)
class Factor:
    """A column of the request, its value, and its contribution in log-odds (above 0: towards "yes")."""

    column: str
    value: Scalar | None
    contribution: float


def top_factors(
    row: Mapping[str, Scalar | None],
    contributions: Sequence[float],
    sources: Sequence[tuple[str, ...]],
    count: int,
) -> tuple[Factor, ...]:
    """The columns that moved a prediction most, strongest first; a column that moved nothing is left out.

    Args:
        row: The request.
        contributions: One number for each feature, in log-odds.
        sources: The input columns behind each feature; a feature of several columns (a ratio) is shared equally.
        count: How many to tell at most.
    """
    total: dict[str, float] = {}
    for contribution, columns in zip(contributions, sources, strict=True):
        for column in columns:
            total[column] = total.get(column, 0.0) + contribution / len(columns)
    ranked = sorted(total, key=lambda column: (-abs(total[column]), column))
    return tuple(Factor(column, row.get(column), total[column]) for column in ranked[:count] if total[column] != 0.0)
