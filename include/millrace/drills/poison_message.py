"""A message that nobody can read stands in the topic, and a row that breaks the contract beside it."""

from typing import Any

from millrace.adapters import lake, topics
from millrace.contract import names
from millrace.contract.constraints import MESSAGE
from millrace.contract.problem import Problem
from millrace.domain.row_keys import row_key
from millrace.drills.drill import Drill
from millrace.drills.live import await_truth, live_problem
from millrace.drills.scene import LEVELS_SECONDS, PATIENCE_SECONDS, Scene
from millrace.drills.telling import Telling
from millrace.simulation.live import play

SEED, RATE, ROWS = 13, 100, 200
POISON = b"\x00\xff\xfe no JSON"


def run(scene: Scene) -> None:
    telling = scene.telling
    with live_problem(scene, "poison_message") as problem:
        played = play(problem, seed=SEED)
        played.play_rows(ROWS, rate=RATE)
        await_truth(scene, played)
        topic = str(problem.change_topic)
        offset = topics.send(topic, POISON)
        telling.broken(f"offset {offset} of {topic} holds {len(POISON)} bytes that are no JSON: {POISON!r}")
        [broken] = played.application.first_rows(1, broken_share=1)
        played.load([broken])
        assert broken.values is not None
        key = row_key(problem.source, played.world.key_of(broken.values))
        telling.broken(f"row {key} is committed, with a broken value of {', '.join(sorted(broken.broken))}")
        played.play_rows(ROWS, rate=RATE)
        await_truth(scene, played)
        found = telling.wait(
            "quarantine holds both",
            lambda: _both(_quarantined(problem), offset, key),
            seconds=PATIENCE_SECONDS,
            every_seconds=LEVELS_SECONDS,
        )
        tell_quarantined(telling, found[0], found[1], _value_in_bronze(problem, offset))


def _quarantined(problem: Problem) -> list[dict[str, Any]]:
    table = names.quarantine(problem.source_name)
    columns = ("path", "row_number", "row_key", "reasons", "raw")
    return lake.read(table, columns=columns).to_pylist() if lake.table_exists(table) else []


def _both(rows: list[dict[str, Any]], offset: int, key: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The message and the row; None while one of them is not there."""
    poison = next((row for row in rows if MESSAGE in row["reasons"] and row["row_number"] == offset), None)
    broken = next((row for row in rows if row["row_key"] == key), None)
    return None if poison is None or broken is None else (poison, broken)


def _value_in_bronze(problem: Problem, offset: int) -> bytes | None:
    table = names.bronze_changes(problem.source_name)
    [found] = lake.read(table, columns=("value",), where=f"offset == {offset}")["value"].to_pylist()
    return None if found is None else bytes(found)


def tell_quarantined(telling: Telling, poison: dict[str, Any], broken: dict[str, Any], value: bytes | None) -> None:
    """Judge that the message is in quarantine with its place, its bytes in bronze, and the row with its reasons.

    Args:
        poison: Quarantine's row of the message.
        broken: That of the row.
        value: What bronze holds at the message's offset.
    """
    where = f"{poison['path']}, offset {poison['row_number']}"
    kept = value == POISON and bool(poison["raw"])
    telling.found(kept, f"quarantine has the message ({where}) as {poison['raw']!r}, bronze its bytes: {value!r}")
    reasons = [reason for reason in broken["reasons"] if reason != MESSAGE]
    telling.found(bool(reasons), f"quarantine has row {broken['row_key']}: {', '.join(broken['reasons'])}")


DRILL = Drill(
    fault="bytes that nobody can read, and a row that breaks the contract, stand in the topic of a table",
    promise="a message that cannot be read stops none behind it: it waits in quarantine with its place and its bytes",
    disturbs="",
    run=run,
)
