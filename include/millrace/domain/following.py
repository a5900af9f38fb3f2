"""What the changes of a source tell of its table as a whole: since when it is followed, and what ended rows of which
no change of their own tells."""

import json
from typing import NamedTuple, Self

from millrace.contract.source_epoch import SourceEpoch


class ChangePosition(NamedTuple):
    """Where a change stands among all changes of its source; later ones are greater."""

    epoch: str
    """As `SourceEpoch` writes it: its first part has as many digits until the year 2286, so text sorts as it does."""
    major: int
    """Position in the log of the epoch's database."""
    path: str
    """Topic and partition."""
    minor: int
    """Offset."""


class Following(NamedTuple):
    """
    Attributes:
        since: The first epoch of which there is a change. Files that landed before are history; a later one says
            nothing of a row that changes tell of.
        ended: Rows of which the newest change is before this are no more: TRUNCATE took them, or the snapshot that a
            later epoch began with does not hold them. None: nothing did.
    """

    since: str
    ended: ChangePosition | None

    @property
    def since_micros(self) -> int:
        """The same in microseconds since 1970, by the clock of the keeper."""
        return SourceEpoch.parse(self.since).since * 1_000_000

    def __str__(self) -> str:
        """As a commit records it."""
        return json.dumps({"since": self.since, "ended": self.ended})

    @classmethod
    def parse(cls, text: str) -> Self:
        told = json.loads(text)
        return cls(told["since"], ChangePosition(*told["ended"]) if told["ended"] else None)


def start_of(epoch: str) -> ChangePosition:
    """A position before each change of an epoch, and after each of those before it."""
    return ChangePosition(epoch, -1, "", 0)


def both(one: Following | None, other: Following | None) -> Following | None:
    """What two spans of changes tell together, whichever came first."""
    if one is None or other is None:
        return one or other
    ends = [end for end in (one.ended, other.ended) if end is not None]
    return Following(min(one.since, other.since), max(ends, default=None))
