"""One drill from end to end: alone on its stack, told line by line, cleaned up whatever happens."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Column, Table

from millrace.adapters import supervised, warehouse
from millrace.adapters.airflow_api import AirflowApi
from millrace.contract.errors import MillraceError, did_you_mean
from millrace.contract.loading import load_problem
from millrace.drills import (
    bad_batch,
    corrupt_model,
    dead_store,
    key_change,
    kill_connect,
    kill_spark,
    leak,
    lost_event,
    lost_slot,
    poison_message,
    zombie_writer,
)
from millrace.drills.clearing import clear
from millrace.drills.drill import Drill
from millrace.drills.scene import Scene, left_behind
from millrace.drills.telling import Telling

DRILLS: dict[str, Drill] = {
    "bad-batch": bad_batch.DRILL,
    "kill-spark": kill_spark.DRILL,
    "zombie-writer": zombie_writer.DRILL,
    "lost-event": lost_event.DRILL,
    "dead-store": dead_store.DRILL,
    "leak": leak.DRILL,
    "corrupt-model": corrupt_model.DRILL,
    "kill-connect": kill_connect.DRILL,
    "lost-slot": lost_slot.DRILL,
    "poison-message": poison_message.DRILL,
    "key-change": key_change.DRILL,
}
LOCK_OF_DRILLS = 7_265_010
"""Postgres advisory lock in the warehouse database, held while a drill runs; any fixed number does."""


def list_drills(console: Console) -> None:
    """Print each drill with what it breaks and what it shows."""
    table = Table(*(Column(words, overflow="fold") for words in ("millrace drill …", "what is broken", "what holds")))
    for name, drill in DRILLS.items():
        table.add_row(f"[bold]{name}[/]", drill.fault, drill.promise)
    console.print(table)


def run_drill(name: str, console: Console) -> int:
    """Run a drill; returns the exit code: 0 only if every promise held.

    Raises:
        MillraceError: If there is no such drill, another one runs, the service that it strikes is not one of this
            stack's supervisor, or the stack does not do what the drill waits for.
    """
    if name not in DRILLS:
        raise MillraceError(
            f'There is no drill "{name}"',
            place="argument NAME",
            found=name,
            expected=", ".join(DRILLS),
            fix=did_you_mean(name, list(DRILLS)),
        )
    drill, telling = DRILLS[name], Telling(console)
    with _alone():
        if drill.strikes:
            supervised.demand_pid(drill.strikes)
        airflow = AirflowApi()
        for path in left_behind():
            telling.now(f"an earlier drill was killed: {path.stem} is cleaned up first")
            clear(load_problem(path), path, airflow)
        telling.promised(drill.promise)
        telling.now(f"watch it at {airflow.url}/dags")
        if drill.disturbs:
            telling.now(f"meanwhile {drill.disturbs}")
        drill.run(Scene(telling, airflow, uuid.uuid4().hex[:4]))
    verdict = "[green]✓[/] the promise held" if telling.held else "[red]✗[/] the promise did not hold"
    console.print(f"{verdict}: drill {name}, {telling.seconds:.0f} s", highlight=False)
    return 0 if telling.held else 1


@contextmanager
def _alone() -> Iterator[None]:
    """Two drills would take each other's fault for a broken promise."""
    with warehouse.connect() as connection:
        found = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK_OF_DRILLS]).fetchone()
        if not (found and found[0]):
            raise MillraceError(
                "Another drill runs on this stack",
                place="database warehouse, advisory lock of the drills",
                found="the lock is taken",
                expected="one drill at a time",
                fix="wait for its end",
            )
        yield
