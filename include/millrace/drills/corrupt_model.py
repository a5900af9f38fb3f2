"""A byte of the champion's package changes in the store: what is loaded goes on, and nobody loads the damaged one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from millrace.adapters import fleet, lake, object_store, supervised
from millrace.adapters.champions import Champion
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.models import COEFFICIENTS, GRAPH
from millrace.drills.drill import Drill
from millrace.drills.scene import PATIENCE_SECONDS, Scene, appear, land, own_problem, rows_of_model
from millrace.drills.telling import Telling
from millrace.drills.trained import await_champion, served_everywhere
from millrace.settings import get_settings

RESTARTED = "serving_1"
ROWS, ASKED_ROWS = 2_000, 50
Answers = dict[str, list[float]]
"""Address of a replica → the probability that it gives each row."""


def run(scene: Scene) -> None:
    telling = scene.telling
    with own_problem(scene, "corrupt_model") as problem:
        appear(scene, problem, train=True)
        land(problem, "file", rows_of_model(rows=ROWS, seed=4, broken_share=0).content)
        champion = await_champion(scene, problem, words=f"a model of {ROWS:,} rows is the champion")
        rows = _rows_to_ask(problem)
        before, url = _answers(problem, rows, fleet.replicas()), get_settings().url(RESTARTED)
        others = [replica for replica in fleet.replicas() if replica != url]
        with _changed_byte(champion) as where:
            telling.broken(f"one byte of {where} is another one")
            telling.broken(f"and one of {_change_kept(problem)}, which {RESTARTED} keeps on its disk")
            words = "every replica answers as before, from what it has loaded"
            tell_same(telling, before, _answers(problem, rows, list(before)), words)
            telling.now(f"{RESTARTED} is restarted, and is process {supervised.restart(RESTARTED)} now")
            readiness = telling.wait(
                f"{RESTARTED} has tried to load the champion",
                lambda: _after_a_look(url, problem),
                seconds=PATIENCE_SECONDS,
            )
            tell_not_ready(telling, readiness, problem.problem)
            tell_same(telling, before, _answers(problem, rows, others), "the other replica still answers as before")
        telling.now("the byte is put back")
        telling.wait(f"{RESTARTED} has tried again", lambda: served_everywhere(champion), seconds=PATIENCE_SECONDS)
        tell_same(telling, before, _answers(problem, rows, list(before)), "every replica answers as before")


def _rows_to_ask(problem: Problem) -> list[dict[str, Any]]:
    gold = lake.read(names.gold(problem.problem), columns=tuple(problem.request_columns()))
    rows: list[dict[str, Any]] = gold.slice(0, ASKED_ROWS).to_pylist()
    return rows


def _answers(problem: Problem, rows: list[dict[str, Any]], urls: list[str]) -> Answers:
    asked = {url: fleet.predict(url, problem.problem, rows)["predictions"] for url in urls}
    return {url: [one["probability"] for one in predictions] for url, predictions in asked.items()}


@contextmanager
def _changed_byte(champion: Champion) -> Iterator[str]:
    """Change a byte in the middle of the model, be it a graph or coefficients; put it back afterwards."""
    place = urlsplit(champion.uri)
    bucket, files = place.netloc, object_store.list_objects(place.netloc, place.path.lstrip("/"))
    (model,) = (file.key for file in files if PurePosixPath(file.key).name in {GRAPH, COEFFICIENTS})
    whole = object_store.get(bucket, model)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    object_store.put(bucket, model, bytes(damaged))
    try:
        yield f"s3://{bucket}/{model}"
    finally:
        object_store.put(bucket, model, whole)


def _change_kept(problem: Problem) -> str:
    """Change a byte of the package that the replica keeps for a start without the store; it removes what is damaged."""
    kept = get_settings().packages_of(RESTARTED) / problem.problem
    [model] = [path for path in kept.glob("*/*") if path.name in {GRAPH, COEFFICIENTS}]
    damaged = bytearray(model.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    model.write_bytes(bytes(damaged))
    return str(model)


def _after_a_look(url: str, problem: Problem) -> dict[str, Any]:
    """What a replica says of its readiness, once it has loaded the problem's champion or has failed to; else empty."""
    told = fleet.readiness(url)
    return told if problem.problem in {**told.get("serves", {}), **told.get("not_loaded", {})} else {}


def tell_not_ready(telling: Telling, readiness: dict[str, Any], problem: str) -> None:
    """Judge that a replica refused the package by its hash, serves nothing in its place, and says so.

    Args:
        readiness: What `/readyz` says.
    """
    why = readiness["not_loaded"].get(problem)
    refused = why is not None and "SHA-256" in why and problem not in readiness["serves"] and not readiness["ready"]
    words = f"refuses the package, and /readyz says so: {why}" if refused else f"says of its readiness: {readiness}"
    telling.found(refused, f"{readiness['replica']} {words}")


def tell_same(telling: Telling, before: Answers, now: Answers, words: str) -> None:
    """Judge that each replica that was asked gives each row the probability that it gave before."""
    other = [url for url, answers in now.items() if answers != before[url]]
    telling.found(
        bool(now) and not other, words if not other else f"not so: {words}; other answers: {', '.join(other)}"
    )


DRILL = Drill(
    fault="a byte of the champion's package is changed in the store and on a replica's disk, and it is restarted",
    promise="a package is checked by its hash: replicas go on with what they hold, and none loads a damaged one",
    disturbs=f"{RESTARTED} answers nobody for some seconds; Ray searches and fits a small model",
    run=run,
    strikes=RESTARTED,
)
