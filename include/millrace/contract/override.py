"""Overrides: rules that decide before the model, which learns nothing of the rows that they match."""

from collections.abc import Mapping

from pydantic import Field

from millrace.contract.model import Model
from millrace.contract.source import Column, ColumnName, ColumnType, Identifier, Scalar

KINDS: dict[ColumnType, tuple[type[Scalar], ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "string": (str,),
}
"""What a value of a column can equal; a timestamp decides nothing."""


class Override(Model):
    """A condition that decides before the model: matching rows get the fixed probability and are not trained on."""

    name: Identifier
    """Told as `decided_by` with each prediction that the override decides."""
    column: ColumnName
    """The column it looks at; it is then no input of the model."""
    equals: Scalar
    """The value at which it decides."""
    probability: float = Field(ge=0, le=1)
    """The probability that such rows get."""
    reason: str = Field(min_length=10)
    """Why this is a rule and not something to learn; shown with each prediction it decides."""


def check_override(place: str, override: Override, request: Mapping[str, Column], gold: Mapping[str, Column]) -> None:
    """Raises ValueError if an override can never decide: its column is not known then, or never has that value.

    Args:
        place: The key path of the override.
        request: The columns that a caller sends.
        gold: Those of gold, as requests have them.
    """
    if override.column not in request:
        raise ValueError(f"{place} needs {override.column} in the request")
    column = gold[override.column]
    # A condition of another type holds for no row, and the rule would silently never decide.
    if type(override.equals) not in KINDS.get(column.type, ()):
        raise ValueError(
            f"{place}.equals {override.equals!r} can never equal {override.column}, which is a {column.type}"
            " (quote words like Yes and No; a timestamp decides nothing)"
        )
    if column.allowed is not None and override.equals not in column.allowed:
        raise ValueError(f"{place}.equals {override.equals!r} is not among the allowed values of {override.column}")
