"""Plays producers on a problem's topic, and compares what they sent with silver."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from millrace.adapters import lake
from millrace.adapters.topic_producer import producing
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.simulation.messages import AT_ONCE, messages
from millrace.simulation.pace import Pace

FIRST_ROWS = 20_000


class Producers:
    """Producers at work, and what came of it. `sent` counts messages by kind."""

    def __init__(self, problem: Problem, *, seed: int, broken_share: float, first_row: int | None = None) -> None:
        """
        Args:
            first_row: Keys and times rise from here; default: by the time, so that each play brings other rows.

        Raises:
            MillraceError: If the problem has no topic of producers.
        """
        if problem.source.topic is None or problem.source.topic.brings_changes:
            raise MillraceError(
                "The problem has no topic to which producers could send",
                place=f"problem {problem.problem}, source {problem.source_name}",
                found="no section `topic`" if problem.source.topic is None else "a topic of changes of a table",
                expected="`topic: {name: …}`, the Kafka topic whose messages are rows",
                fix=f"say it in include/problems/{problem.problem}.yaml, or land files",
            )
        self.problem, self.topic = problem, problem.source.topic.name
        self.sent: Counter[str] = Counter()
        self.valid: dict[str, Mapping[str, Any]] = {}
        self.broken: set[str] = set()
        start = int(time.time()) % FIRST_ROWS * AT_ONCE if first_row is None else first_row
        self._messages = messages(problem, seed=seed, first_row=start, broken_share=broken_share)

    def send(self, *, rate: float, until: Callable[[], bool], tell: Callable[[], None] = lambda: None) -> None:
        """Send messages until told to end.

        Args:
            rate: Messages a second, on the average.
            until: Asked before each message whether it is enough.
            tell: Called after each message.

        Raises:
            MillraceError: If there is no such topic, or a message was not delivered within a minute.
        """
        pace = Pace(rate)
        with producing(self.topic) as send:
            while not until():
                if not pace.is_due():
                    continue
                one = next(self._messages)
                send(one.value)
                pace.rows += 1
                self.sent[one.kind] += 1
                if one.key is not None and one.row is not None:
                    self.valid[one.key] = one.row
                elif one.key is not None:
                    self.broken.add(one.key)
                tell()

    def differences(self) -> list[str]:
        """In words, how silver differs from what was sent; other rows are not looked at."""
        table, source = names.silver(self.problem.source_name), self.problem.source
        if not lake.table_exists(table):
            return [f"there is no table {table}"]
        columns = tuple(dict.fromkeys(("row_key", "event_timestamp", *source.columns, "deleted")))
        held = {row["row_key"]: row for row in lake.read(table, columns=columns).to_pylist() if not row["deleted"]}
        found = [f"{key} is missing" for key in self.valid.keys() - held.keys()]
        found += [f"{key} is there, and must not be" for key in (held.keys() & self.broken) - self.valid.keys()]
        for key in self.valid.keys() & held.keys():
            found += [
                f"{key}: {name} is {held[key][name]!r}, and must be {value!r}"
                for name, value in self.valid[key].items()
                if held[key][name] != value
            ]
        return sorted(found)
