"""What a problem's connector tells of its snapshots: that one began, how far it is, and that every row was read."""

import json
from dataclasses import dataclass

from millrace.adapters import topics
from millrace.contract import names
from millrace.domain.change_offsets import Range


@dataclass(frozen=True)
class News:
    """One notification of Debezium. `signal` is what asked for the snapshot; a connector's first one has another."""

    signal: str
    initial: bool
    kind: str
    rows: int | None
    status: str | None


class SnapshotNews:
    """All that is told from the moment on at which this is made; `told` is what the last look knew."""

    def __init__(self, problem: str) -> None:
        self.topic = names.notification_topic(problem)
        self.next: dict[int, int] = {}
        self.topic_id: str | None = None
        self.told: list[News] = []
        part = self._range()
        self.next, self.topic_id = (part.end, part.topic_id) if part else ({}, None)

    def look(self) -> list[News]:
        """Everything that was told until now.

        Raises:
            MillraceError: If the broker does not answer within seconds.
        """
        part = self._range()
        if part is None or part.messages == 0:
            return self.told
        # What comes while this reads may be told twice: nobody counts it.
        self.told += map(_parsed, topics.values(part))
        self.next, self.topic_id = part.end, part.topic_id
        return self.told

    def _range(self) -> Range | None:
        """What nobody has read; none while the first notification has not made the topic."""
        try:
            state = topics.state(self.topic)
        except topics.NoTopicError:
            return None
        known = self.next if self.topic_id == state.topic_id else {}
        start = {partition: max(known.get(partition, 0), first) for partition, first in state.earliest.items()}
        return Range(self.topic, state.topic_id, start, dict(state.end))


def _parsed(value: bytes) -> News:
    told = json.loads(value)
    more = told.get("additional_data") or {}
    rows = more.get("total_rows_scanned")
    return News(
        signal=str(told.get("id", "")),
        initial=told.get("aggregate_type") == "Initial Snapshot",
        kind=str(told.get("type", "")),
        rows=int(rows) if rows is not None else None,
        status=more.get("status"),
    )
