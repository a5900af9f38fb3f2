"""The epoch of a source database: within one its log positions rise; a restored or promoted database begins another.

Every message that Debezium sends carries it, in a header. It is the first part of a change's position: a log position
of one epoch says nothing about one of another.
"""

import re
from dataclasses import dataclass
from typing import Self

HEADER = "millrace.epoch"
"""The header of a message, UTF-8."""
TEXT = re.compile(r"(?P<since>\d+)/(?P<system_identifier>\d+)/(?P<timeline>\d+)")


@dataclass(frozen=True, order=True)
class SourceEpoch:
    """An epoch: later ones are greater. `since` orders them, seconds since 1970 when it was first met: neither the
    identifier, which is drawn when a database is made, nor the timeline says which of two databases came later."""

    since: int
    system_identifier: int
    timeline: int

    def __str__(self) -> str:
        return f"{self.since}/{self.database}"

    @property
    def database(self) -> str:
        """What the database itself says: system identifier and timeline."""
        return f"{self.system_identifier}/{self.timeline}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The epoch that a header says.

        Raises:
            ValueError: If it says none.
        """
        found = TEXT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no epoch: since/system identifier/timeline, such as 1796012345/7423/1")
        return cls(*(int(part) for part in found.groups()))


FOREIGN = SourceEpoch(0, 0, 0)
"""The one epoch of all changes that somebody else's connector sent: nobody tells of another. Ours are all later."""


def begun_anew(previous: SourceEpoch | None, database: str, *, now: float) -> SourceEpoch:
    """A later epoch than the previous one, of another database or the same: it begins with a snapshot of every row."""
    system_identifier, timeline = database.split("/")
    # A clock that was set back must not make the new epoch an earlier one.
    since = max(int(now), previous.since + 1 if previous else 0)
    return SourceEpoch(since, int(system_identifier), int(timeline))
