"""An application at work beside whatever else happens, and how far what it did has come."""

import threading
from concurrent.futures import ThreadPoolExecutor

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.row_keys import row_key
from millrace.simulation.live import play

PATIENCE_SECONDS = 180


class AtWork:
    """An application that works on a problem's table while the block runs, whatever is killed meanwhile."""

    def __init__(self, problem: Problem, *, seed: int, rate: float = 40) -> None:
        self.played, self.rate = play(problem, seed=seed), rate
        self._enough = threading.Event()
        self._thread = ThreadPoolExecutor(1, "application")

    def __enter__(self) -> "AtWork":
        self._end = self._thread.submit(
            self.played.play, rate=self.rate, until=self._enough.is_set, patience_seconds=PATIENCE_SECONDS
        )
        return self

    def __exit__(self, *_error: object) -> None:
        self._enough.set()
        self._thread.shutdown()
        self._end.result()

    def came(self, *, since: int = 0) -> bool:
        """Whether silver holds a row that was inserted after so many others."""
        problem, ever = self.played.problem, [*self.played.world.ever]
        # A key that comes again has stood in silver before, if only as a deleted one.
        known = {row_key(problem.source, key) for key in {*ever[since:]} - {*ever[:since]}}
        table = names.silver(problem.source_name)
        return lake.table_exists(table) and bool(
            known & set(lake.read(table, columns=("row_key",))["row_key"].to_pylist())
        )


def repeated(problem: Problem) -> int:
    """How many messages stand in bronze once more than once: by topic, partition and offset."""
    table = names.bronze_changes(problem.source_name)
    if not lake.table_exists(table):
        return 0
    found = [tuple(one.values()) for one in lake.read(table, columns=("topic", "partition", "offset")).to_pylist()]
    return len(found) - len(set(found))
