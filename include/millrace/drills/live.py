"""A problem of a drill that follows a table, and what is told of the application that works on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from millrace.adapters import keeper_report, source_database
from millrace.contract.problem import Problem
from millrace.drills.scene import LEVELS_SECONDS, PATIENCE_SECONDS, Scene, appear, own_problem
from millrace.drills.telling import Telling
from millrace.simulation.at_work import AtWork, repeated
from millrace.simulation.live import Played
from millrace.simulation.world import Statement


def followed(content: dict[str, Any]) -> None:
    """Its changes are taken in within seconds, however many rows of them are broken, or go."""
    (source,) = content["sources"].values()
    source["changes"] = {"seconds": 2, "retry_seconds": 20}
    source["quality"] = {"max_quarantined_share": 1.0, "max_row_count_drop": 1.0}


@contextmanager
def live_problem(scene: Scene, name: str) -> Iterator[Problem]:
    """A problem whose table is followed; after the block nothing is left of it, in source database and Kafka too."""
    with own_problem(scene, name, followed) as problem:
        appear(scene, problem)
        await_connector(scene, problem, words=f"{problem.change_table} is there, and followed")
        yield problem


def await_connector(scene: Scene, problem: Problem, *, words: str) -> None:
    """Wait until the problem's connector runs."""
    name = problem.problem
    scene.telling.wait(
        words,
        lambda: source_database.slot(name) is not None and keeper_report.missing(name) is None,
        seconds=PATIENCE_SECONDS,
        pending=lambda: keeper_report.missing(name),
    )


def await_new_rows(scene: Scene, application: AtWork, *, words: str) -> None:
    """Wait until a row is in silver that is inserted from now on."""
    since = len(application.played.world.ever)
    scene.telling.wait(
        words, lambda: application.came(since=since), seconds=PATIENCE_SECONDS, every_seconds=LEVELS_SECONDS
    )


def await_truth(scene: Scene, played: Played) -> None:
    """Wait until silver holds what the application left in its table, and judge what bronze holds then."""
    telling = scene.telling
    done = ", ".join(f"{count} {kind}" for kind, count in sorted(played.done.items()))
    telling.wait(
        f"silver is as the application left its table: {len(played.world.rows)} rows after {done}",
        lambda: not played.differences(),
        seconds=PATIENCE_SECONDS,
        pending=lambda: "; ".join(played.differences()[:5]),
        every_seconds=LEVELS_SECONDS,
    )
    tell_repeated(telling, repeated(played.problem))


def moved_and_deleted(played: Played, *, moved: int, deleted: int) -> list[Statement]:
    """Statements that give rows other keys and delete others, each row once."""
    keys, rows = list(played.world.rows), played.world.rows
    found = []
    for key, fresh in zip(keys[:moved], played.application.first_rows(moved, broken_share=0), strict=True):
        new = {name: (fresh.values or {})[name] for name in played.problem.source.primary_key}
        found.append(Statement("rekey", key, rows[key].values | new, rows[key].broken))
    return found + [Statement("delete", key, None) for key in keys[moved : moved + deleted]]


def tell_repeated(telling: Telling, count: int) -> None:
    """Judge that no message stands in bronze twice."""
    telling.found(not count, f"{count or 'no'} (topic, partition, offset) stands in bronze more than once")
