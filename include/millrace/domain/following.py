"""What the changes of a source tell of its table as a whole: which epochs there were, and what ended rows of which no
change of their own tells."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from millrace.contract.source_epoch import FOREIGN, SourceEpoch


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


class EpochSeen(NamedTuple):
    """What has come of an epoch, which begins with a snapshot of every row.

    Attributes:
        snapshot: Position in the log of the newest snapshot; None: no row of any came. A connector that is stopped
            within its first snapshot takes another one.
        last: That of the newest snapshot whose last row came.
        streams: Whether something came after the snapshot, so that it is complete.
    """

    snapshot: int | None
    last: int | None
    streams: bool

    @property
    def is_complete(self) -> bool:
        """Whether what the snapshot lacks is not in the table. Without a row of it, nobody knows."""
        return self.snapshot is not None and (self.streams or self.last == self.snapshot)


@dataclass(frozen=True)
class Following:
    """
    Attributes:
        epochs: Each epoch of which there is a change.
        truncated: The newest TRUNCATE: nothing counts that changes told before.
    """

    epochs: Mapping[str, EpochSeen]
    truncated: ChangePosition | None = None

    @property
    def since_micros(self) -> int:
        """When the first epoch began, in microseconds since 1970, by the clock of the keeper.

        Files that landed before are history; a later one says nothing of a row that changes tell of.
        """
        ours = self.epochs.keys() - {str(FOREIGN)}
        return SourceEpoch.parse(min(ours or self.epochs)).since * 1_000_000

    @property
    def ended(self) -> ChangePosition | None:
        """Rows of which the newest change is before this are no more: the snapshot of a later epoch, or the one that
        was taken instead of an unfinished one, does not hold them."""
        complete = [epoch for epoch, seen in self.epochs.items() if seen.is_complete]
        return ChangePosition(max(complete), self.epochs[max(complete)].snapshot or 0, "", -1) if complete else None

    def __str__(self) -> str:
        """As a commit records it."""
        return json.dumps({"epochs": self.epochs, "truncated": self.truncated}, sort_keys=True)

    @classmethod
    def parse(cls, text: str) -> Self:
        told = json.loads(text)
        epochs = {epoch: EpochSeen(*seen) for epoch, seen in told["epochs"].items()}
        return cls(epochs, ChangePosition(*told["truncated"]) if told["truncated"] else None)


def together(spans: Iterable[Following | None]) -> Following | None:
    """What spans of changes tell together, in whatever order; None where none of them has a change."""
    found = [span for span in spans if span is not None]
    if not found:
        return None
    epochs: dict[str, EpochSeen] = {}
    for span in found:
        for epoch, seen in span.epochs.items():
            before = epochs.get(epoch, EpochSeen(None, None, streams=False))
            epochs[epoch] = EpochSeen(
                _newest(before.snapshot, seen.snapshot), _newest(before.last, seen.last), before.streams or seen.streams
            )
    truncates = [span.truncated for span in found if span.truncated is not None]
    return Following(epochs, max(truncates, default=None))


def _newest(*positions: int | None) -> int | None:
    return max((position for position in positions if position is not None), default=None)
