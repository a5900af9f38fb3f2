"""The label: what is to be predicted, told by a column or by a later event."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from millrace.contract.aggregations import EventLabel
from millrace.contract.model import Model
from millrace.contract.source import ColumnName, Scalar


class Label(Model):
    """What is to be predicted: a column, and its value that means "yes"."""

    column: ColumnName
    """The column; gold calls it `label`, 1 for the positive value, 0 for any other, null while it is unknown."""
    positive: Scalar = 1
    """The value that means "yes", of the column's type."""

    def in_words(self) -> str:
        """When the answer is yes, for people."""
        return f"`{self.column}` is `{self.positive}`"


def _told_by(label: Any) -> str:
    told = "event" in label if isinstance(label, dict) else isinstance(label, EventLabel)
    return "event" if told else "column"


AnyLabel = Annotated[
    Annotated[Label, Tag("column")] | Annotated[EventLabel, Tag("event")],
    Discriminator(_told_by),
]
